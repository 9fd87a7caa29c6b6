//! What the daemon has done so far, in numbers.
//!
//! Counting is a few additions to atomic numbers: no lock, no memory, nothing that a call waits for. It is done where a call
//! ends, once for each: a call that is answered where it is read at the fast path, every other one where its reply was written.
//! No name, no uid and no value is in it.

mod calls;
mod openmetrics;
mod page;
mod tally;
mod tpm;
mod versions;

use std::time::SystemTime;

pub use calls::{CallMetrics, Method};
pub use page::{Reader, page};
pub use tpm::{TpmMetrics, TpmOperation};
pub use versions::VersionCount;

/// All that is counted here; the store counts its own.
pub struct Metrics {
    /// Since when.
    since: SystemTime,
    /// Calls of methods.
    pub calls: CallMetrics,
    /// How many versions there are, as it was lately.
    pub versions: VersionCount,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { since: SystemTime::now(), calls: CallMetrics::default(), versions: VersionCount::default() }
    }
}
