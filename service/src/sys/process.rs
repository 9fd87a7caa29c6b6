//! What the process forbids itself, and what it asks room for, before it holds a secret.

use std::io;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// No core dump of this process, no `ptrace` and no look into `/proc/PID/mem` by others of its uid.
///
/// # Errors
/// The kernel refuses, which it does not on any supported release.
pub fn forbid_dumps() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    prctl::set_dumpable(false)?;
    Ok(())
}

/// Raises the soft limits of open files and of locked memory to the hard ones: connections and reply pipes cost
/// descriptors, the arena wants to be locked. A limit that cannot be raised stays as it is.
pub fn raise_limits() {
    for resource in [Resource::RLIMIT_NOFILE, Resource::RLIMIT_MEMLOCK] {
        if let Ok((soft, hard)) = getrlimit(resource)
            && soft < hard
        {
            // Best effort: what comes short of room later says so by itself.
            let _ = setrlimit(resource, hard, hard);
        }
    }
}

/// How many descriptors the process may have open, and have under way in messages as well (`RLIMIT_NOFILE`).
pub fn most_descriptors() -> usize {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(usize::MAX, |(soft, _)| usize::try_from(soft).unwrap_or(usize::MAX))
}
