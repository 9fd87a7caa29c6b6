//! A booted machine, and what people do at one.

mod chip;
mod container;
mod said;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokenvault_tests::user::require_root;

pub use said::Said;
pub use tokenvault_tests::Terminal;

use crate::site;
use chip::Chip;
use container::Container;

/// The user a machine has besides root, and the password.
pub const ALICE: (&str, &str) = ("alice", "alice's very own");
/// Another one.
pub const BOB: (&str, &str) = ("bob", "nothing of bob's");
/// One who may use sudo.
pub const ADMIN: (&str, &str) = ("admin", "trust me, sudo");

/// In every container the kernel kills the daemon, its TPM worker and the daily cleanup at the first system call that the unit does
/// not allow. As they are installed such a call fails with EPERM, and what does not matter to them would go unseen.
const STRICT: [&str; 2] = ["tokenvaultd.service", "tokenvault-cleanup.service"];
/// How the service manager tells of such a death, and the daemon of its worker's.
const FORBIDDEN_CALL: [&str; 2] = ["status=31/SYS", "SIGSYS"];

/// The drop-in of a unit.
fn strict(unit: &str) -> String {
    format!("etc/systemd/system/{unit}.d/strict.conf")
}

/// A container with systemd as its first process. Everything ends with the value.
#[derive(Debug)]
pub struct Machine {
    container: Option<Container>,
    chip: Option<Chip>,
    lower: Vec<PathBuf>,
    place: TempDir,
}

impl Machine {
    /// Debian with a TPM, and nothing of ours.
    pub fn bare() -> Self {
        Self::boot(vec![site::tree()], Some("tpm"))
    }

    /// Debian with a TPM, and the packages installed before this boot.
    pub fn installed() -> Self {
        Self::boot(site::tree_with_packages(), Some("tpm"))
    }

    /// The same without a TPM.
    pub fn installed_without_tpm() -> Self {
        Self::boot(site::tree_with_packages(), None)
    }

    /// Boots from layers, the uppermost first.
    pub fn boot(lower: Vec<PathBuf>, tpm: Option<&str>) -> Self {
        require_root();
        let place = tempfile::Builder::new().prefix("machine.").tempdir_in(site::directory()).expect("a directory");
        for unit in STRICT {
            let file = place.path().join("upper").join(strict(unit));
            fs::create_dir_all(file.parent().expect("it lies in a directory")).expect("the directory of the drop-in");
            fs::write(file, "[Service]\nSystemCallErrorNumber=kill\n").expect("the drop-in");
        }
        let mut machine = Self { container: None, chip: None, lower, place };
        machine.start(tpm);
        machine
    }

    /// Switches it on, with the TPM of that name or with none.
    pub fn start(&mut self, tpm: Option<&str>) {
        self.chip = tpm.map(|name| Chip::start(&self.place.path().join(name)));
        let device = self.chip.as_ref().map(Chip::device);
        self.container = Some(Container::boot(self.place.path(), &self.lower, device));
    }

    /// Has the unit of the daemon be as it is installed, from its next start on.
    pub fn as_packaged(&self) {
        self.root(&format!("rm /{} /{} && systemctl daemon-reload", strict(STRICT[0]), strict(STRICT[1]))).succeeds();
    }

    /// Nothing that was done on this machine needed a system call that the unit forbids.
    fn assert_nothing_forbidden(&self) {
        if self.container.is_none() {
            return;
        }
        let journal = ["journalctl", "--boot", "--output=cat", "--no-pager", "--unit=tokenvault*"];
        let told = self.enter(&journal).succeeds();
        let forbidden = told.lines().find(|line| FORBIDDEN_CALL.iter().any(|word| line.contains(word)));
        assert_eq!(forbidden, None, "no system call that is needed is forbidden");
    }

    /// Switches it off in order.
    pub fn stop(&mut self) {
        self.assert_nothing_forbidden();
        self.enter(&["systemctl", "--no-block", "poweroff"]).succeeds();
        self.container.take().expect("the machine is off").wait_for_end();
        self.chip = None;
    }

    /// Reboots it in order.
    pub fn reboot(&mut self) {
        self.assert_nothing_forbidden();
        self.enter(&["systemctl", "--no-block", "reboot"]).succeeds();
        self.container.as_mut().expect("the machine is off").wait_for_reboot(self.place.path());
    }

    /// Runs a shell command as a service of root.
    pub fn root(&self, command: &str) -> Said {
        self.root_reading("", command)
    }

    /// The same with text to read.
    pub fn root_reading(&self, input: &str, command: &str) -> Said {
        self.service(&[], input, command)
    }

    /// Runs a shell command as a user who has no session, as a program of cron would.
    pub fn user(&self, (name, _): (&str, &str), command: &str) -> Said {
        self.user_reading((name, ""), "", command)
    }

    /// The same with text to read.
    pub fn user_reading(&self, (name, _): (&str, &str), input: &str, command: &str) -> Said {
        Said::by(self.command(&["runuser", "-u", name, "--", "sh", "-c", command]), input)
    }

    /// Starts a shell command as a user, with what it reads and prints for the test to write and read.
    pub fn start_as(&self, (name, _): (&str, &str), command: &str) -> Child {
        let mut command = self.command(&["runuser", "-u", name, "--", "sh", "-c", command]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("running a command in the machine")
    }

    /// Runs a shell command in a session of a user that was opened without a password, with a user manager and bus.
    pub fn session(&self, (name, _): (&str, &str), command: &str) -> Said {
        self.service(&["-p", "PAMName=login", "-p", &format!("User={name}"), "-p", "WorkingDirectory=~"], "", command)
    }

    /// Runs a program at once, outside of any unit: for what must be quick or must see the machine from outside.
    pub fn enter(&self, words: &[&str]) -> Said {
        Said::by(self.command(words), "")
    }

    /// Runs a program at a terminal.
    pub fn terminal(&self, words: &[&str]) -> Terminal {
        Terminal::run(self.command(words))
    }

    /// Puts a file into the machine.
    pub fn write(&self, path: &str, content: &str) {
        Said::by(self.command(&["sh", "-c", "mkdir -p \"${1%/*}\" && cat >\"$1\"", "write", path]), content).succeeds();
    }

    /// Puts files of this machine into a directory of that one.
    pub fn copy_in(&self, files: &[PathBuf], directory: &str) {
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str()).expect("a name of a file");
            let target = format!("{directory}/{name}");
            let mut command = self.command(&["sh", "-c", "mkdir -p \"$1\" && cat >\"$2\"", "copy", directory, &target]);
            command.stdin(fs::File::open(file).expect("a file to copy"));
            let status = command.status().expect("running a command");
            assert!(status.success(), "copying {}: {status}", file.display());
        }
    }

    /// Everything the journal has of a unit, since the boot; also what is on its way to it.
    pub fn journal(&self, unit: &str) -> String {
        self.enter(&["journalctl", "--sync"]).succeeds();
        self.enter(&["journalctl", "--boot", "--output=cat", "--no-pager", "--unit", unit]).succeeds()
    }

    /// A property of a unit.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.enter(&["systemctl", "show", "--value", "--property", name, unit]).succeeds()
    }

    /// The directory of what this machine has changed. It may be another machine's layer once this one is off.
    pub fn keep_changes(mut self) -> PathBuf {
        assert!(self.container.is_none(), "the machine is on");
        self.place.disable_cleanup(true);
        self.place.path().join("upper")
    }

    fn service(&self, properties: &[&str], input: &str, command: &str) -> Said {
        let mut words = vec!["systemd-run", "--pipe", "--wait", "--collect", "--quiet", "--service-type=exec"];
        // What is read from here the service holds, so that it has to be ended and not only who waits for it.
        words.extend(["--property", "RuntimeMaxSec=90"]);
        words.extend(properties);
        // The service manager would expand what the shell shall.
        let command = command.replace('$', "$$");
        words.extend(["--", "sh", "-c", &command]);
        Said::by(self.command(&words), input)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut bounded = vec!["timeout", "--foreground", "--kill-after=5", "100"];
        bounded.extend(words);
        self.running().enter(&bounded)
    }

    fn running(&self) -> &Container {
        self.container.as_ref().expect("the machine is off")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_nothing_forbidden();
        }
    }
}
