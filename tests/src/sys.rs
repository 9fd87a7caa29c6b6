//! System calls no safe wrapper offers. Nothing else in this crate is `unsafe`, but the C library.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::{c_long, gid_t, pid_t, uid_t};
use nix::fcntl::{FcntlArg, fcntl};

/// Gives the calling *thread* another identity, for good. The C library's `setresuid` would change every thread of the
/// process; the bare system call changes one, and a connection made by it carries that thread's credentials.
pub(crate) fn become_user_in_this_thread(uid: uid_t, groups: &[gid_t]) -> io::Result<()> {
    let gid = groups.first().copied().unwrap_or(uid);
    // SAFETY: reads so many gid_t from `groups`, which outlives the call.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })?;
    // SAFETY: takes three integers.
    check(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })?;
    // SAFETY: takes three integers.
    check(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) })?;
    Ok(())
}

/// A descriptor that becomes readable when the process ends.
pub(crate) fn open_pidfd(pid: pid_t) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A descriptor that was received, and is nobody's yet.
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made it for whoever received it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Has a command begin with these descriptors as 3, 4 and so on.
pub(crate) fn pass(command: &mut Command, fds: Vec<OwnedFd>) {
    // Far away from where they go, so that none is in another's way.
    let far = |fd: OwnedFd| fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(512)).map(own).expect("a high descriptor");
    let fds: Vec<OwnedFd> = fds.into_iter().map(far).collect();
    let hook = move || {
        for (fd, number) in fds.iter().zip(3..) {
            // SAFETY: takes two integers; the first one is a descriptor that is open.
            check(unsafe { libc::dup2(fd.as_raw_fd(), number) }.into())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec it only calls dup2, which may be called there.
    unsafe { command.pre_exec(hook) };
}

/// Whether `needle` is in `haystack`, at the speed of the C library also where the tests are not optimised.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> bool {
    // SAFETY: reads the bytes of two slices, which outlive the call.
    let found = unsafe { libc::memmem(haystack.as_ptr().cast(), haystack.len(), needle.as_ptr().cast(), needle.len()) };
    !found.is_null()
}

/// Runs `hook` when the process exits in an orderly way.
pub(crate) fn at_exit(hook: extern "C" fn()) {
    // SAFETY: `hook` is a function without captures and lives as long as the program.
    let status = unsafe { libc::atexit(hook) };
    assert_eq!(status, 0, "atexit refused a hook");
}

fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
