//! What expires soon, over all owners.

use crate::dictionary::{options, results};

options! {
    /// The filter of `Admin.Expiring`.
    ExpiringOptions {
        /// Due after this, microseconds since the epoch.
        since: u64 = "since",
        /// And not after this, microseconds since the epoch.
        until: u64 = "until",
        /// Where the page begins: `next` of the page before.
        after: String = "after",
    }
}

results! {
    /// A token that expires soon, or has expired.
    ExpiringInfo {
        /// Its name.
        name: String = "name",
        /// Whose it is, `uid:N`.
        owner: String = "owner",
        /// Number of its current version.
        version: u64 = "version",
        /// When that expires, microseconds since the epoch.
        expires: u64 = "expires",
    }
}
