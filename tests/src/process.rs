//! A child process that cannot outlive its owner.

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::{sys, wait};

/// A running program; killed and reaped when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    exit: OwnedFd,
}

impl Process {
    /// Takes charge of a child.
    pub fn adopt(child: Child) -> Self {
        let pid = i32::try_from(child.id()).unwrap();
        let exit = sys::open_pidfd(pid).expect("pidfd_open needs Linux 5.3");
        Self { child, exit }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A descriptor that becomes readable when it ends.
    pub fn exit_event(&self) -> &OwnedFd {
        &self.exit
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).expect("the process is gone already");
    }

    /// Stops it, and returns once every thread of it stands still.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).expect("waitpid");
        assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Waits for the end; `None` when it has not come in time.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        wait::for_any(&[self.exit.as_fd()], Instant::now() + patience)?;
        Some(self.child.wait().expect("wait"))
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("wait")
    }

    /// A line of `/proc/PID/status`, in KiB: `VmRSS`, `VmHWM`, `VmLck`.
    pub fn memory_kib(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("the process is gone");
        let line = status.lines().find(|text| text.starts_with(line)).expect("no such line in /proc/PID/status");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB")
    }

    /// Processor time it has used so far, its own and the kernel's for it.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).expect("the process is gone");
        // The name comes second, in parentheses, and may hold anything; utime and stime are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(") ").expect("a name in /proc/PID/stat");
        let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum();
        let a_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).expect("sysconf").expect("a clock");
        Duration::from_millis(ticks * 1000 / u64::try_from(a_second).expect("ticks a second"))
    }

    /// How many descriptors it has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("the process is gone").count()
    }

    /// How many of these are ends of pipes. Files come and go with what it looks up meanwhile.
    pub fn open_pipes(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("the process is gone");
        let is_pipe = |link: &std::path::PathBuf| link.to_string_lossy().starts_with("pipe:");
        open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).filter(is_pipe).count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it must be reaped.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
