//! The process between host and helper: it starts the helper, waits for it, kills it when its time is over, and reports.
//!
//! It is a copy of the host that was made without asking, so everything here is system calls on what was prepared before:
//! nothing allocates, locks, or returns.

use std::ffi::{c_char, c_int};
use std::os::fd::RawFd;
use std::ptr;
use std::time::Instant;

use libc::pid_t;

use super::fork::{Side, empty, fork};
use crate::helper::Ended;

/// What the helper finds its end of the lease as.
const LEASE: RawFd = 3;
/// Where the helper has the report until it executes its program.
const REPORT: RawFd = 4;
/// Where descriptors are put out of the way of those.
const ASIDE: RawFd = 10;
/// What a process whose program could not be executed ends with.
const NOT_EXECUTED: c_int = 127;
/// How many descriptors are closed one by one where the kernel cannot close a range (before Linux 5.9).
const CLOSED_SINGLY: RawFd = 1 << 16;

/// Size of a report.
pub(crate) const REPORT_BYTES: usize = 8;

/// All that the keeper needs, prepared by the host.
pub(crate) struct Plan {
    pub(crate) program: *const c_char,
    /// Ended by a null pointer.
    pub(crate) arguments: *const *const c_char,
    /// What the helper reads.
    pub(crate) input: RawFd,
    /// The helper's end of the lease, or -1.
    pub(crate) lease: RawFd,
    /// Where to report.
    pub(crate) report: RawFd,
    /// When the helper's time is over.
    pub(crate) until: Instant,
}

/// What a report says; `None` when it is none.
pub(crate) fn read_report(bytes: [u8; REPORT_BYTES]) -> Option<Ended> {
    let [a, b, c, d, kind, ..] = bytes;
    let number = i32::from_ne_bytes([a, b, c, d]);
    Some(match kind {
        b'e' => Ended::Exited(number),
        b'k' => Ended::Killed(number),
        b'l' => Ended::Late,
        b'n' => Ended::NotStarted(number),
        _ => return None,
    })
}

fn report(fd: RawFd, kind: u8, number: i32) {
    let [a, b, c, d] = number.to_ne_bytes();
    let bytes: [u8; REPORT_BYTES] = [a, b, c, d, kind, 0, 0, 0];
    // SAFETY: reads so many bytes of an array that lives.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
}

fn exit(status: c_int) -> ! {
    // SAFETY: ends the process at once, without anything of the host's.
    unsafe { libc::_exit(status) }
}

/// Ends the process should anything unwind: a copy of the host must not go on as if it were the host.
struct NoWayBack;

impl Drop for NoWayBack {
    fn drop(&mut self) {
        exit(NOT_EXECUTED);
    }
}

/// The life of the keeper.
pub(crate) fn keep(plan: &Plan) -> ! {
    let _no_way_back = NoWayBack;
    become_root_entirely();
    forget_handlers();
    // Away from the terminal and its signals.
    // SAFETY: takes nothing; it fails where this is so already.
    unsafe { libc::setsid() };
    die_with_parent();
    // SAFETY: the child does nothing but `execute`, which keeps to the rules and does not return.
    match unsafe { fork(libc::SIGCHLD) } {
        Ok(Side::Child) => execute(plan),
        Ok(Side::Parent(helper)) => watch(plan, helper),
        Err(error) => report(plan.report, b'n', error.raw_os_error().unwrap_or(0)),
    }
    exit(0)
}

/// Waits for the helper.
fn watch(plan: &Plan, helper: pid_t) {
    // Nothing of the host is held meanwhile, the lease least of all.
    // SAFETY: the descriptor is open; 0 is this process's to replace.
    unsafe { libc::dup2(plan.report, 0) };
    close_from(1);
    let mut is_late = false;
    loop {
        let mut status: c_int = 0;
        let flags = if is_late { 0 } else { libc::WNOHANG };
        // SAFETY: writes one number.
        let found = unsafe { libc::waitpid(helper, &raw mut status, flags) };
        if found == helper && !is_late {
            return tell(status);
        } else if found != 0 {
            return;
        }
        is_late = !await_child(plan.until);
        if is_late {
            report(0, b'l', 0);
            // SAFETY: the number is that of a child nobody has waited for.
            unsafe { libc::kill(helper, libc::SIGKILL) };
        }
    }
}

fn tell(status: c_int) {
    if libc::WIFSIGNALED(status) {
        report(0, b'k', libc::WTERMSIG(status));
    } else {
        report(0, b'e', libc::WEXITSTATUS(status));
    }
}

/// Waits until a child has ended; false when the time is over first. All signals are held back, so none is missed.
fn await_child(until: Instant) -> bool {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return false;
    }
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(1),
        tv_nsec: left.subsec_nanos().into(),
    };
    let mut set = empty();
    // SAFETY: an initialised set.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGCHLD) };
    // SAFETY: a set and a time that live during the call; where the signal came from is not asked.
    unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const time) };
    true
}

/// Becomes the helper.
fn execute(plan: &Plan) -> ! {
    let _no_way_back = NoWayBack;
    die_with_parent();
    let (input, lease, said) = (aside(plan.input), aside(plan.lease), aside(plan.report));
    let null = open_null();
    let places = [
        (input, 0, 0),
        (if null < 0 { input } else { null }, 1, 0),
        (1, 2, 0),
        (lease, LEASE, 0),
        (said, REPORT, libc::O_CLOEXEC),
    ];
    for (from, to, flags) in places {
        // SAFETY: replaces a descriptor of this process, or leaves it: the host's, which the helper is not to have.
        if unsafe { libc::dup3(from, to, flags) } < 0 {
            // SAFETY: as above.
            unsafe { libc::close(to) };
        }
    }
    close_from(REPORT + 1);
    // SAFETY: a string.
    unsafe { libc::chdir(c"/".as_ptr()) };
    // SAFETY: takes a number.
    unsafe { libc::umask(0o077) };
    let none = empty();
    // SAFETY: a set that lives during the call.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) };
    let environment = [ptr::null()];
    // SAFETY: strings and arrays ended by null pointers, which the host made and its copy has.
    unsafe { libc::execve(plan.program, plan.arguments, environment.as_ptr()) };
    report(REPORT, b'n', std::io::Error::last_os_error().raw_os_error().unwrap_or(0));
    exit(NOT_EXECUTED)
}

/// A copy of a descriptor where the helper's own will not come in its way; -1 for none.
fn aside(fd: RawFd) -> RawFd {
    // SAFETY: makes a new descriptor, or answers EBADF.
    unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, ASIDE) }
}

fn open_null() -> RawFd {
    // SAFETY: a string.
    let fd = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    aside(fd)
}

/// In a setuid program the one who started it could send signals to a process that is root only in part; the kernel's
/// calls and not the library's, which would want to tell threads that are not there.
fn become_root_entirely() {
    // SAFETY: takes nothing.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    // SAFETY: an empty list of groups.
    unsafe { libc::syscall(libc::SYS_setgroups, 0_usize, ptr::null::<libc::gid_t>()) };
    // SAFETY: takes three numbers.
    unsafe { libc::syscall(libc::SYS_setresgid, 0, 0, 0) };
    // SAFETY: takes three numbers.
    unsafe { libc::syscall(libc::SYS_setresuid, 0, 0, 0) };
}

/// What the host does on a signal is not for this process; nor is what it ignores for the helper.
fn forget_handlers() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: zeros are the default action without flags.
        let default = unsafe { std::mem::zeroed::<libc::sigaction>() };
        // SAFETY: an action that lives during the call; a signal without one answers EINVAL.
        unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
    }
}

fn die_with_parent() {
    // SAFETY: takes numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Closes every descriptor from `first` on.
fn close_from(first: RawFd) {
    // SAFETY: takes three numbers; what is closed is this process's own copy.
    if unsafe { libc::syscall(libc::SYS_close_range, first, c_int::MAX, 0) } == 0 {
        return;
    }
    for fd in first..CLOSED_SINGLY {
        // SAFETY: as above.
        unsafe { libc::close(fd) };
    }
}
