//! A daemon with a store, a socket and a TPM of its own, in a directory that goes with it.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokenvault_client::{Address, Client};
use tokenvault_proto::{ErrorCode, Status};

use super::tpm::SoftwareTpm;
use crate::failure::Failure;

/// How long a program may take to do what it is waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Time between two looks.
pub const LOOK: Duration = Duration::from_millis(20);

/// The whole of it. Everything ends, and the directory goes, when it is dropped.
pub struct Rig {
    daemon_program: PathBuf,
    directory: PathBuf,
    tpm: Option<SoftwareTpm>,
    daemon: Option<Child>,
}

impl Rig {
    /// The directory, and a software TPM where there is one.
    ///
    /// # Errors
    /// When there is no place for it, the TPM does not come up, or there is neither one nor root.
    pub fn set_up(daemon_program: PathBuf) -> Result<Self, Failure> {
        let directory = new_directory()?;
        let mut rig = Self { daemon_program, directory, tpm: None, daemon: None };
        let failed = |error: std::io::Error| {
            Failure::io(
                "cannot set up a vault to try",
                &error,
                "free some space in the temporary directory, or set TMPDIR",
            )
        };
        for part in ["state", "run", "tpm"] {
            DirBuilder::new().mode(0o700).create(rig.directory.join(part)).map_err(failed)?;
        }
        rig.tpm = SoftwareTpm::start(&rig.directory.join("tpm"))?;
        if rig.tpm.is_none() && !nix::unistd::geteuid().is_root() {
            return Err(Failure::new(
                ErrorCode::Unavailable,
                "there is no software TPM to try the vault with",
                "install 'swtpm', or run this as root to try it with a host key",
            ));
        }
        fs::write(rig.configuration(), rig.settings()).map_err(failed)?;
        Ok(rig)
    }

    /// Whether it has a TPM.
    pub const fn has_tpm(&self) -> bool {
        self.tpm.is_some()
    }

    /// The directory of the store.
    pub fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// Starts the daemon, and waits until it answers.
    pub fn start(&mut self) -> Result<Status, String> {
        let log = File::options().create(true).append(true).open(self.log()).map_err(|error| error.to_string())?;
        let mut command = Command::new(&self.daemon_program);
        command.arg("--config").arg(self.configuration()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID"] {
            command.env_remove(variable);
        }
        let child = command.spawn();
        self.daemon = Some(child.map_err(|error| format!("'{}': {error}", self.daemon_program.display()))?);
        self.wait_for("an answer", |rig| rig.client().ok()?.status().ok())
    }

    /// Waits until the vault is in a state.
    pub fn wait_for_state(&mut self, state: &str) -> Result<Status, String> {
        self.wait_for(&format!("state '{state}'"), |rig| {
            rig.client().ok()?.status().ok().filter(|status| status.state == state)
        })
    }

    /// Stops the daemon in order.
    pub fn stop(&mut self) -> Result<(), String> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        end(&daemon, Signal::SIGTERM);
        let begun = Instant::now();
        loop {
            match daemon.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("it ended with {status}{}", self.last_words())),
                Ok(None) if begun.elapsed() < PATIENCE => std::thread::sleep(LOOK),
                Ok(None) | Err(_) => {
                    let _ = daemon.kill();
                    let _ = daemon.wait();
                    return Err(format!("it does not stop{}", self.last_words()));
                }
            }
        }
    }

    /// A client of its private socket.
    pub fn client(&self) -> Result<Client, String> {
        let address = Address::Socket(self.directory.join("run/bus"));
        let mut client = Client::open_within(Some(&address), PATIENCE).map_err(|error| error.to_string())?;
        client.set_deadline(PATIENCE);
        Ok(client)
    }

    fn wait_for<T>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> Result<T, String> {
        let begun = Instant::now();
        loop {
            if let Some(seen) = look(self) {
                return Ok(seen);
            }
            let ended = self.daemon.as_mut().is_none_or(|daemon| !matches!(daemon.try_wait(), Ok(None)));
            if ended || begun.elapsed() >= PATIENCE {
                let how = if ended { "it ended before there was" } else { "there was not in time" };
                return Err(format!("{how} {what}{}", self.last_words()));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// What the daemon said last.
    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().last().map(|line| format!(": {line}")).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("tokenvault.conf")
    }

    fn settings(&self) -> String {
        let part = |name: &str| self.directory.join(name);
        let nowhere = || format!("device:{}", part("tpm").join("none").display());
        let tcti = self.tpm.as_ref().map_or_else(nowhere, SoftwareTpm::tcti);
        let worker = self.daemon_program.with_file_name("tokenvault-tpm");
        format!(
            "state-dir = {:?}\nruntime-dir = {:?}\nbus = \"none\"\nallow-host-key = {}\n[tpm]\ntcti = {tcti:?}\nworker = {worker:?}\n",
            part("state"),
            part("run"),
            self.tpm.is_none(),
        )
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        // It writes there.
        self.tpm = None;
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn end(child: &Child, signal: Signal) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // It may have ended already.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// A new directory that nobody else can enter.
fn new_directory() -> Result<PathBuf, Failure> {
    let mut random = [0; 8];
    let name =
        getrandom::fill(&mut random).map(|()| format!("tokenvault-selftest.{:016x}", u64::from_ne_bytes(random)));
    let name = name.map_err(|error| {
        Failure::new(ErrorCode::Unavailable, format_args!("no random numbers: {error}"), "try again")
    })?;
    let directory = Path::new(&std::env::temp_dir()).join(name);
    DirBuilder::new().mode(0o700).create(&directory).map_err(|error| {
        Failure::io(format_args!("cannot make '{}'", directory.display()), &error, "set TMPDIR to a directory of yours")
    })?;
    Ok(directory)
}
