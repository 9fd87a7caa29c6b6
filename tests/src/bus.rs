//! A private bus that behaves like the system bus: default deny, the policy file that is packaged, several users.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::Process;
use crate::user::UserDatabase;
use crate::{floor, login_manager, polkit, program};

/// The shape of `/usr/share/dbus-1/system.conf`.
const CONFIGURATION: &str = include_str!("../bus.conf.in");

/// Lets what stands beside the vault in a test have its name, and everyone call it.
fn policy_of(name: &str) -> String {
    format!(
        "<policy user=\"root\"><allow own=\"{name}\"/></policy>\n\
         <policy context=\"default\"><allow send_destination=\"{name}\"/></policy>\n"
    )
}

/// Lets everyone have polkit's name, as a bus of a session does, and call it.
fn policy_of_polkit() -> String {
    let name = polkit::NAME;
    format!("<policy context=\"default\"><allow own=\"{name}\"/><allow send_destination=\"{name}\"/></policy>\n")
}

/// One `dbus-daemon`; ends when dropped.
#[derive(Debug)]
pub struct TestBus {
    socket: PathBuf,
    process: Process,
}

impl TestBus {
    /// Starts a bus on `directory/system_bus` and waits until it listens.
    pub fn start(directory: &Path, users: &UserDatabase) -> Self {
        Self::start_with(directory, users, &[])
    }

    /// The same with other limits than `dbus-daemon(1)` names as its own.
    pub fn start_with(directory: &Path, users: &UserDatabase, limits: &[(&str, u64)]) -> Self {
        let socket = Self::socket_in(directory);
        fs::remove_file(&socket).ok();
        let policy = program::source_root().join("packaging/dbus/org.tokenvault1.conf");
        let policy = policy.canonicalize().expect("the packaged policy file");
        let policies = [policy_of(floor::NAME), policy_of(login_manager::NAME), policy_of_polkit()].concat();
        let configuration = CONFIGURATION
            .replace("</busconfig>", &format!("{policies}{}</busconfig>", limits_in_xml(limits)))
            .replace("@SOCKET@", socket.to_str().unwrap())
            .replace("@POLICY@", policy.to_str().expect("a source tree with a UTF-8 path"));
        let file = directory.join("bus.conf");
        fs::write(&file, configuration).expect("writing the bus configuration");

        let mut command = Command::new("dbus-daemon");
        users.apply(&mut command);
        let mut child = command
            .arg(format!("--config-file={}", file.display()))
            .args(["--nofork", "--nopidfile", "--nosyslog", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(directory.join("bus.log")).expect("the log of the bus"))
            .spawn()
            .expect("dbus-daemon (package dbus-daemon)");
        let announcement = child.stdout.take().expect("a piped stdout");
        let process = Process::adopt(child);
        let mut address = String::new();
        BufReader::new(announcement).read_line(&mut address).expect("the address of the bus");
        assert!(!address.is_empty(), "the bus did not start; see {}", directory.join("bus.log").display());
        Self { socket, process }
    }

    /// Where a bus of this directory listens, running or not.
    pub fn socket_in(directory: &Path) -> PathBuf {
        directory.join("system_bus")
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its D-Bus address.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket.display())
    }
}

fn limits_in_xml(limits: &[(&str, u64)]) -> String {
    limits.iter().map(|(name, value)| format!("<limit name=\"{name}\">{value}</limit>\n")).collect()
}
