//! Running the helper so that the host does not notice: no signal reaches it, none of its dispositions is touched, and it
//! never waits longer than it said.
//!
//! Between host and helper stands the [`keeper`], a process that waits for the helper and kills it when its
//! time is over. `pam_unix(8)` does without, by changing what the host does on SIGCHLD for the time it waits, for all of the
//! host's threads and children.

use std::ffi::{CStr, c_char};
use std::fs::File;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::ptr;
use std::time::{Duration, Instant};

use libc::{c_int, pid_t};

use super::fork::{Quiet, Side, fork};
use super::keeper::{self, Plan, REPORT_BYTES};
use super::lease::pipe;
use crate::helper::{Ended, Job};

/// How much earlier than the host the keeper gives up: a sixteenth of the time.
const KEEPERS_SHARE: u32 = 16;

/// Runs `program` for `job`; returns not later than `timeout` from now.
pub(crate) fn run(program: &CStr, job: &Job<'_>, timeout: Duration) -> Ended {
    let until = Instant::now() + timeout;
    let keepers = until.checked_sub(timeout / KEEPERS_SHARE).unwrap_or(until);
    start(program, job, keepers).map_or_else(
        |error| Ended::NotStarted(error.raw_os_error().unwrap_or(0)),
        |(keeper, report)| keeper.wait(report, until),
    )
}

fn start(program: &CStr, job: &Job<'_>, until: Instant) -> io::Result<(Keeper, File)> {
    let input = filled_pipe(job)?;
    let (reader, writer) = pipe()?;
    let arguments: [*const c_char; 4] = [program.as_ptr(), job.verb.word().as_ptr(), job.user.as_ptr(), ptr::null()];
    let plan = Plan {
        program: program.as_ptr(),
        arguments: arguments.as_ptr(),
        input: input.as_raw_fd(),
        lease: job.lease.map_or(-1, |lease| lease.as_raw_fd()),
        report: writer.as_raw_fd(),
        until,
    };
    let quiet = Quiet::new();
    // SAFETY: the child does nothing but `keep`, which keeps to the rules and does not return.
    let keeper = match unsafe { fork(0) }? {
        Side::Child => keeper::keep(&plan),
        Side::Parent(pid) => Keeper { pid },
    };
    drop(quiet);
    Ok((keeper, File::from(reader)))
}

/// A pipe with the secrets in it, each ended by a zero byte, and nobody to write more. They fit into any pipe, so this never
/// waits.
fn filled_pipe(job: &Job<'_>) -> io::Result<OwnedFd> {
    let (reader, writer) = pipe()?;
    let mut writer = File::from(writer);
    let parts = job.secrets.iter().flat_map(|secret| [IoSlice::new(secret.expose()), IoSlice::new(b"\0")]);
    let parts: Vec<IoSlice<'_>> = parts.collect();
    let len = parts.iter().map(|part| part.len()).sum();
    if !parts.is_empty() && writer.write_vectored(&parts)? != len {
        return Err(io::ErrorKind::WriteZero.into());
    }
    Ok(reader)
}

/// The process that looks after the helper. It is waited for when dropped.
struct Keeper {
    pid: pid_t,
}

impl Keeper {
    /// What it reports; when it has not done so and ended by then, it and the helper are killed.
    fn wait(self, mut report: File, until: Instant) -> Ended {
        let mut said = None;
        while is_readable(&report, until) {
            let mut bytes = [0; REPORT_BYTES];
            match report.read(&mut bytes) {
                // The first word counts: a helper that could not be executed says why, and its keeper that it ended.
                Ok(REPORT_BYTES) => said = said.or(keeper::read_report(bytes)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return said.unwrap_or(Ended::Lost),
            }
        }
        said.unwrap_or(Ended::Late)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // It has ended by itself, mostly; then this finds a process that only waits to be buried.
        // SAFETY: the number is that of a child nobody has waited for, so it is nobody else's.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        let mut status: c_int = 0;
        loop {
            // SAFETY: writes one number.
            let found = unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WCLONE) };
            if found >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return;
            }
        }
    }
}

/// Waits until there is something to read, or the end; false when the time is over first.
fn is_readable(file: &File, until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let milliseconds = c_int::try_from(left.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX);
        let mut entry = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which lives during the call.
        match unsafe { libc::poll(&raw mut entry, 1, milliseconds) } {
            0 => return false,
            count if count > 0 => return true,
            _ if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted => return false,
            _ if left.is_zero() => return false,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
