//! A daemon with a store, a socket and a TPM of its own, in a directory that goes with it.

use std::fs::{self, DirBuilder, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokenvault_client::{Address, Client};
use tokenvault_proto::{ErrorCode, Status};

use crate::failure::Failure;

/// How long a program may take to do what it is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The whole of it. Everything ends, and the directory goes, when it is dropped.
pub struct Rig {
    daemon_program: PathBuf,
    directory: PathBuf,
    tpm: Option<Child>,
    daemon: Option<Child>,
}

impl Rig {
    /// The directory, and a software TPM where there is one.
    ///
    /// # Errors
    /// When there is no place for it, or neither a TPM nor root.
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
        let tcti = rig.start_tpm().map_err(failed)?;
        if rig.tpm.is_none() && !nix::unistd::geteuid().is_root() {
            return Err(Failure::new(
                ErrorCode::Unavailable,
                "there is no software TPM to try the vault with",
                "install 'swtpm', or run this as root to try it with a host key",
            ));
        }
        fs::write(rig.configuration(), rig.settings(&tcti)).map_err(failed)?;
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

    fn settings(&self, tcti: &str) -> String {
        let part = |name: &str| self.directory.join(name);
        let worker = self.daemon_program.with_file_name("tokenvault-tpm");
        format!(
            "state-dir = {:?}\nruntime-dir = {:?}\nbus = \"none\"\nallow-host-key = {}\n[tpm]\ntcti = {tcti:?}\nworker = {worker:?}\n",
            part("state"),
            part("run"),
            self.tpm.is_none(),
        )
    }

    /// Starts a software TPM, if one is installed; how it is reached.
    fn start_tpm(&mut self) -> std::io::Result<String> {
        let (port, control) = free_ports()?;
        let state = self.directory.join("tpm");
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "startup-clear,not-need-init", "--tpmstate"])
            .arg(format!("dir={}", state.display()))
            .args(["--server", &format!("type=tcp,port={port},bindaddr=127.0.0.1")])
            .args(["--ctrl", &format!("type=tcp,port={control},bindaddr=127.0.0.1")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.tpm = child.ok();
        let begun = Instant::now();
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, control)).is_ok();
        while self.tpm.is_some() && !listens() {
            if begun.elapsed() >= PATIENCE {
                return Err(std::io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(LOOK);
        }
        Ok(if self.tpm.is_some() {
            format!("swtpm:host=127.0.0.1,port={port}")
        } else {
            format!("device:{}", state.join("none").display())
        })
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for mut child in [self.daemon.take(), self.tpm.take()].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
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

/// Two ports side by side, as the TPM's library expects them.
fn free_ports() -> std::io::Result<(u16, u16)> {
    for _ in 0..100 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let Some(second) = first.checked_add(1) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, second)).is_ok() {
            return Ok((first, second));
        }
    }
    Err(std::io::ErrorKind::AddrInUse.into())
}
