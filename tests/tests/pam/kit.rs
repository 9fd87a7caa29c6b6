//! A machine with users, passwords, a PAM service with the module in it, and a program that logs in.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokenvault_tests::user::UserDatabase;
use tokenvault_tests::{ALICE, Door, ROOT, User, Vault, program};

use crate::guest_program::Guest;

/// The longest that the module may keep anybody, and what a busy machine adds to it.
pub const CAP: Duration = Duration::from_secs(2);
pub const BUSY: Duration = Duration::from_millis(1500);
/// What a machine adds to it that has many other things to do, or that runs all of it under valgrind.
pub const LOADED: Duration = Duration::from_secs(3);

/// `PAM_SUCCESS`, and `PAM_AUTH_ERR`.
pub const SUCCESS: i32 = 0;
pub const AUTH_ERR: i32 = 7;

/// Under what the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Under {
    Plain,
    Valgrind,
}

const WARNINGS: [&str; 5] = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"];
/// Two seconds are what a login has, also where the tests beside it keep every processor busy.
const PREFERRED: [&str; 3] = ["/usr/bin/nice", "--adjustment=-15", "--"];
/// Far longer than any of the programs takes.
const TIMEOUT: [&str; 3] = ["/usr/bin/timeout", "--signal=KILL", "60"];
/// The processes between host and helper are copies of the host, and not looked at: they free nothing on purpose.
const VALGRIND: [&str; 6] = [
    "/usr/bin/valgrind",
    "-q",
    "--error-exitcode=99",
    "--leak-check=full",
    "--errors-for-leak-kinds=all",
    "--child-silent-after-fork=yes",
];
const SERVICE: &str = "login";

/// The machine.
pub struct Site {
    directory: TempDir,
    users: UserDatabase,
}

/// A call to PAM, as the program saw it.
#[derive(Debug)]
pub struct Call {
    pub name: String,
    pub status: i32,
    pub took: Duration,
}

impl Site {
    /// Where alice has the password "horse".
    pub fn new() -> Self {
        tokenvault_tests::user::require_root();
        let directory = tempfile::Builder::new()
            .prefix("tokenvault-pam.")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let users = UserDatabase::write(directory.path()).unwrap();
        let site = Self { directory, users };
        compile(&site.file("host"), "pam_host.c", &["-pthread"]);
        compile(&site.file("pam_passwords.so"), "pam_passwords.c", &["-shared", "-fPIC"]);
        fs::create_dir(site.file("services")).unwrap();
        site.set_password("alice", "horse");
        site
    }

    /// A file of the machine.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Gives the only user with a password another one, without PAM.
    pub fn set_password(&self, user: &str, password: &str) {
        let file = self.file("passwords");
        fs::write(&file, format!("{user}:{password}\n")).unwrap();
        chown(&file, Some(ALICE.uid), None).unwrap();
    }

    /// Writes the service, with a helper that is a shell script of this text.
    pub fn with_script(self, text: &str) -> Self {
        let helper = self.file("helper");
        fs::write(&helper, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
        self.with_arguments(&format!("debug helper={}", helper.display()))
    }

    /// Writes the service, with the real helper, which finds this vault.
    pub fn with_vault(self, vault: &Vault, door: Door) -> Self {
        self.with_address(&vault.address_text(door))
    }

    /// The same with whatever is at this address. What is executed has no environment, so the script has to tell it.
    pub fn with_address(self, address: &str) -> Self {
        let text = format!(
            "export TOKENVAULT_ADDRESS='{address}' LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD='{}' NSS_WRAPPER_GROUP='{}'\n\
             exec '{}' \"$@\"",
            self.file("passwd").display(),
            self.file("group").display(),
            program::path("tokenvault-pam-helper").display(),
        );
        self.with_script(&text)
    }

    /// Writes the service, as the packaged profile does: the module after the one that knows the passwords.
    pub fn with_arguments(self, arguments: &str) -> Self {
        let passwords = self.file("pam_passwords.so").display().to_string();
        let file = self.file("passwords").display().to_string();
        let module = program::path("libpam_tokenvault.so").display().to_string();
        let ours = |kind: &str| format!("{kind} optional {module} {arguments}\n");
        let text = format!(
            "auth required {passwords} {file}\n{}account required pam_permit.so\n{}\
             password required {passwords} {file}\n{}session required pam_permit.so\n{}",
            ours("auth"),
            ours("account"),
            ours("password"),
            ours("session"),
        );
        fs::write(self.file("services").join(SERVICE), text).unwrap();
        // libpam misses it, aloud.
        fs::write(self.file("services/other"), "auth required pam_deny.so\n").unwrap();
        self
    }

    /// Writes the service without asking for a password, as sshd does for a key.
    pub fn without_password(self) -> Self {
        self.rewrite(|number, line| if number == 0 { Some("auth required pam_permit.so") } else { Some(line) })
    }

    /// Writes the service without the module, as it is on a machine that has no vault.
    pub fn without_module(self) -> Self {
        self.rewrite(|_, line| (!line.contains("pam_tokenvault")).then_some(line))
    }

    /// Writes the service so that whatever the module answers counts, as an administrator may have it.
    pub fn with_module_required(self) -> Self {
        let file = self.file("services").join(SERVICE);
        fs::write(&file, fs::read_to_string(&file).unwrap().replace(" optional ", " required ")).unwrap();
        self
    }

    /// Writes other lines of the service in the place of those it has.
    fn rewrite(self, change: impl for<'a> Fn(usize, &'a str) -> Option<&'a str>) -> Self {
        let file = self.file("services").join(SERVICE);
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().enumerate().filter_map(|(number, line)| change(number, line));
        fs::write(file, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        self
    }

    /// The program that logs in `user`, as root.
    pub fn command(&self, under: Under, user: &str, actions: &[&str]) -> Command {
        let under: &[&str] = if under == Under::Valgrind { &VALGRIND } else { &[] };
        self.command_by(&[&TIMEOUT, under].concat(), user, actions)
    }

    /// The same, run by other programs.
    pub fn command_by(&self, programs: &[&str], user: &str, actions: &[&str]) -> Command {
        self.command_of(ROOT, programs, user, actions)
    }

    /// The same as a program of somebody who is not root, as a screen locker is.
    pub fn command_of(&self, runner: User, programs: &[&str], user: &str, actions: &[&str]) -> Command {
        let [host, services] = ["host", "services"].map(|name| self.file(name).display().to_string());
        let words = [&PREFERRED, programs, &[&host, &services, SERVICE, user], actions].concat();
        let mut command = runner.command(words[0]);
        command.args(&words[1..]);
        command
    }

    /// Has the libpam and user database of any program be this machine's. Only one of them at a time: libpam_wrapper keeps its
    /// copy of libpam under one of a few names, which two of them can take at once.
    pub fn wrap(&self, command: &mut Command) {
        self.users.apply(command);
        command
            .env("LD_PRELOAD", "libpam_wrapper.so:libnss_wrapper.so")
            .env("PAM_WRAPPER", "1")
            .env("PAM_WRAPPER_SERVICE_DIR", self.file("services"));
    }

    /// Runs the program, which must end well; its calls.
    #[track_caller]
    pub fn run(&self, under: Under, user: &str, actions: &[&str]) -> Vec<Call> {
        calls(&succeed(&mut self.command(under, user, actions)))
    }

    /// Starts the program, which waits where its actions say 'meet'.
    pub fn start(&self, user: &str, actions: &[&str]) -> Guest {
        let mut command = self.command_by(&[], user, actions);
        Guest::new(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// The name of the service.
    pub fn service(&self) -> &'static str {
        SERVICE
    }

    /// What a script has written to this file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }
}

/// The calls that the program has made.
#[track_caller]
pub fn calls(output: &Output) -> Vec<Call> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| *line != "meet").map(call).collect()
}

/// From its line.
#[track_caller]
pub fn call(line: &str) -> Call {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, status, took] = words.as_slice() else { panic!("'{line}' is no call") };
    Call { name: (*name).into(), status: status.parse().unwrap(), took: Duration::from_millis(took.parse().unwrap()) }
}

/// Everyone got in, and nobody was kept.
#[track_caller]
pub fn check(calls: &[Call], names: &[&str]) {
    check_within(CAP + BUSY, calls, names);
}

/// Everyone got in, each call within `most`.
#[track_caller]
pub fn check_within(most: Duration, calls: &[Call], names: &[&str]) {
    assert_eq!(calls.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(), names);
    for call in calls {
        assert_eq!(call.status, SUCCESS, "{call:?}");
        assert!(call.took < most, "{call:?}");
    }
}

fn compile(output: &Path, source: &str, arguments: &[&str]) {
    let source = program::source_root().join("tests/c").join(source);
    let mut command = Command::new("gcc");
    command.args(WARNINGS).args(["-D_GNU_SOURCE", "-O1", "-g"]).args(arguments).arg(source);
    succeed(command.arg("-o").arg(output).arg("-lpam"));
}

/// Runs a command that must succeed.
#[track_caller]
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{}\n{out}{err}", output.status);
    output
}
