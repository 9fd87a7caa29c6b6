//! `tokenvaultd` under test.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::notify::Notifications;
use crate::process::Process;
use crate::program;
use crate::record;
use crate::sys;
use crate::user::{DAEMON, UserDatabase};
use crate::wait::{self, PATIENCE};

/// Starts the daemon as the service manager does: with what it was given to keep, addressed to it.
pub const BY_MANAGER: [&str; 3] = ["/bin/sh", "-c", "export LISTEN_PID=$$; exec \"$0\" \"$@\""];
/// Passes standard input on as systemd passes a socket (`sd_listen_fds(3)`), and becomes the daemon.
const PASSED: [&str; 3] = [
    "/bin/sh",
    "-c",
    "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=credentials; exec \"$0\" \"$@\"",
];

/// A running daemon; killed when dropped, and its log shown when the test has failed.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    log: PathBuf,
}

impl Daemon {
    /// Starts the daemon and waits for READY; panics with its log when it ends before.
    pub fn start(directory: &Path, configuration: &Path, users: &UserDatabase, notify: &Notifications) -> Self {
        let mut daemon = Self::spawn(directory, configuration, users, notify, &[]);
        assert!(daemon.becomes_ready(notify), "tokenvaultd ended before it was ready");
        daemon
    }

    /// The same with a socket the service manager passes under the name `credentials`.
    pub fn start_with_credentials(
        directory: &Path,
        configuration: &Path,
        users: &UserDatabase,
        notify: &Notifications,
        socket: OwnedFd,
    ) -> Self {
        let mut daemon = Self::spawn_with(directory, configuration, users, notify, &PASSED, socket.into());
        assert!(daemon.becomes_ready(notify), "tokenvaultd ended before it was ready");
        daemon
    }

    /// Waits for READY; false when the daemon ends before.
    pub fn becomes_ready(&mut self, notify: &Notifications) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while !notify.receive().iter().any(|said| said == "READY=1") {
            let event = wait::for_any(&[notify.event(), self.process.exit_event().as_fd()], deadline);
            assert!(event.is_some(), "tokenvaultd was not ready after {PATIENCE:?}");
            if !self.process.is_running() {
                return false;
            }
        }
        true
    }

    /// Starts the daemon without waiting, by the program and arguments `under` if there are any: they must become it.
    pub fn spawn(
        directory: &Path,
        configuration: &Path,
        users: &UserDatabase,
        notify: &Notifications,
        under: &[&str],
    ) -> Self {
        Self::spawn_with(directory, configuration, users, notify, under, Stdio::null())
    }

    fn spawn_with(
        directory: &Path,
        configuration: &Path,
        users: &UserDatabase,
        notify: &Notifications,
        under: &[&str],
        input: Stdio,
    ) -> Self {
        let log = directory.join("daemon.log");
        let output = File::options().create(true).append(true).open(&log).expect("the log of the daemon");
        let program = program::path("tokenvaultd");
        let mut command = match under {
            [] => DAEMON.command(&program),
            [first, arguments @ ..] => {
                let mut command = DAEMON.command(first);
                command.args(arguments).arg(&program);
                command
            }
        };
        users.apply(&mut command);
        if record::is_wanted() {
            command.env("TOKENVAULT_LOG", "debug");
        }
        if under == BY_MANAGER {
            let (names, fds): (Vec<_>, Vec<_>) = notify.kept().into_iter().unzip();
            command.env("LISTEN_FDS", fds.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
            sys::pass(&mut command, fds);
        }
        let child = command
            .arg("--config")
            .arg(configuration)
            .env("NOTIFY_SOCKET", notify.path())
            .env("RUST_BACKTRACE", "1")
            .stdin(input)
            .stdout(output.try_clone().expect("a second handle of the log"))
            .stderr(output)
            .spawn()
            .expect("starting tokenvaultd");
        Self { process: Process::adopt(child), log }
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Processor time it has used so far.
    pub fn processor_time(&self) -> Duration {
        self.process.processor_time()
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it as the service manager does.
    pub fn stop(mut self) -> ExitStatus {
        self.process.signal(Signal::SIGTERM);
        self.process.wait(PATIENCE).expect("tokenvaultd does not stop on SIGTERM")
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.wait(PATIENCE).expect("SIGKILL");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            let ended = self.process.ended().map_or_else(String::new, |status| format!("\nit has ended: {status}"));
            // Through the test's captured output, where the failure is.
            #[allow(clippy::print_stderr)]
            {
                eprintln!("--- end of the daemon's log ---\n{}{ended}\n---", tail.join("\n"));
            }
        } else if record::is_wanted() {
            // A call is logged after its answer: at its end it has logged all.
            if self.process.is_running() {
                self.process.signal(Signal::SIGTERM);
                self.process.wait(Duration::from_secs(2));
            }
            record::calls(&self.log());
        }
    }
}
