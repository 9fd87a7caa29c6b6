//! What the process does to itself before it sees a secret: the one place of the worker where `unsafe` stands.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;

/// Empties the environment, whoever started us: libtss2 takes the way to the TPM, and at level `trace` the printing of
/// keys, from `TSS2_LOG*` and `TCTI`. Then tells it to print nothing: the answer carries its codes.
pub fn clear_environment() {
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    for name in names {
        // SAFETY: called first thing in `main`, while this process has one thread.
        unsafe { std::env::remove_var(name) };
    }
    // SAFETY: as above.
    unsafe { std::env::set_var("TSS2_LOG", "all+none") };
}

/// No core dumps, no debugger of the same user, and no life after the daemon's.
pub fn harden() -> nix::Result<()> {
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    prctl::set_pdeathsig(Signal::SIGKILL)
}
