//! Making a process in a host that knows nothing of it (`clone(2)`).

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_int, c_long, pid_t, sigset_t};

/// Which side of a fork this is.
pub(crate) enum Side {
    Child,
    Parent(pid_t),
}

/// Makes a copy of this process that tells its end by `signal`; 0: by none, and then only a wait with `__WCLONE` finds it,
/// so that neither a host that ignores its children nor one that waits for all of them gets in the way.
///
/// The system call and not `fork(3)`: what the host has hung on that must not run in a copy that soon executes another
/// program.
///
/// # Safety
/// The child may have been made in the middle of anything that other threads did. Until it executes another program it must
/// use nothing that allocates or locks, and it must not return into the host.
pub(crate) unsafe fn fork(signal: c_int) -> io::Result<Side> {
    let (none, signal) = (0 as c_long, c_long::from(signal));
    // The order of the first two differs between machines; all but the signal are zero.
    let (first, second) = if cfg!(target_arch = "s390x") { (none, signal) } else { (signal, none) };
    // SAFETY: without flags the kernel copies everything, and the child goes on from here on a copy of this stack.
    match unsafe { libc::syscall(libc::SYS_clone, first, second, none, none, none) } {
        0 => Ok(Side::Child),
        number => {
            pid_t::try_from(number).ok().filter(|pid| *pid > 0).map(Side::Parent).ok_or_else(io::Error::last_os_error)
        }
    }
}

/// Every signal of this thread held back while it lives, so that no handler of the host runs in a child.
pub(crate) struct Quiet(sigset_t);

impl Quiet {
    /// Holds them back.
    pub(crate) fn new() -> Self {
        let all = full();
        let mut before = empty();
        // SAFETY: two sets that live during the call.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) };
        Self(before)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // SAFETY: a set that was filled by the same call.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

/// No signal.
pub(crate) fn empty() -> sigset_t {
    let mut set = MaybeUninit::zeroed();
    // SAFETY: the set is initialised by the call.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: as said.
    unsafe { set.assume_init() }
}

/// Every signal.
fn full() -> sigset_t {
    let mut set = empty();
    // SAFETY: an initialised set.
    unsafe { libc::sigfillset(&raw mut set) };
    set
}
