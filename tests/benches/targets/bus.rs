//! The bus of a vault under measurement: that of the suites, on which the bench may also own a name.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokenvault_tests::bus::TestBus;
use tokenvault_tests::process::Process;
use tokenvault_tests::program;
use tokenvault_tests::user::UserDatabase;

/// The name of the floor service.
pub const NAME: &str = "org.tokenvault.Bench";

const CONFIGURATION: &str = include_str!("../../bus.conf.in");

/// A running `dbus-daemon` where a vault of `directory` looks for its bus.
pub struct Bus {
    socket: PathBuf,
    /// Ends with this.
    pub process: Process,
}

impl Bus {
    /// Starts it and waits until it listens.
    pub fn start(directory: &Path, users: &UserDatabase) -> Self {
        let socket = TestBus::socket_in(directory);
        let (policy, file) = (directory.join("policy.conf"), directory.join("bench-bus.conf"));
        fs::write(&policy, policy_with(&program::source_root().join("packaging/dbus/org.tokenvault1.conf")))
            .expect("writing a policy");
        let text = CONFIGURATION
            .replace("@SOCKET@", socket.to_str().expect("a UTF-8 path"))
            .replace("@POLICY@", policy.to_str().expect("a UTF-8 path"));
        fs::write(&file, text).expect("writing the bus configuration");
        let mut command = Command::new("dbus-daemon");
        users.apply(&mut command);
        command.arg(format!("--config-file={}", file.display())).args([
            "--nofork",
            "--nopidfile",
            "--nosyslog",
            "--print-address=1",
        ]);
        Self { socket, process: start(&mut command) }
    }

    /// Its D-Bus address.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket.display())
    }
}

/// Runs a `dbus-daemon` that prints its address on standard output once it listens.
pub fn start(command: &mut Command) -> Process {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("dbus-daemon (package dbus-daemon)");
    let said = child.stdout.take().expect("a piped stdout");
    let process = Process::adopt(child);
    let mut address = String::new();
    BufReader::new(said).read_line(&mut address).expect("the address of the bus");
    assert!(!address.is_empty(), "the bus did not start");
    process
}

fn policy_with(packaged: &Path) -> String {
    let packaged = packaged.canonicalize().expect("the packaged policy file");
    format!(
        "<busconfig>\n  <include>{}</include>\n  \
         <policy user=\"root\"><allow own=\"{NAME}\"/></policy>\n  \
         <policy context=\"default\"><allow send_destination=\"{NAME}\"/></policy>\n</busconfig>\n",
        packaged.display()
    )
}
