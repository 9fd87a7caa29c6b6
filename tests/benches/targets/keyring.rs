//! The desktop keyrings the vault is held against, each on a session bus of its own, in a throw-away home and unlocked with
//! a throw-away password.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokenvault_tests::process::Process;
use tokenvault_tests::{ROOT, wait};

use crate::bus;
use crate::floor::VALUE_BYTES;
use crate::load::Load;
use crate::programs::Programs;
use crate::site::OWN_TOKENS;

/// A keyring service: program, arguments, and where it is to be had.
const SERVICES: [(&str, &str, &[&str], &str); 2] = [
    (
        "gnome-keyring",
        "gnome-keyring-daemon",
        &["--foreground", "--unlock", "--components=secrets"],
        "package gnome-keyring",
    ),
    ("oo7", "oo7-daemon", &["--login", "--replace"], "no package in Debian 12; 'cargo install oo7-daemon'"),
];

/// Those of this machine.
pub struct Keyrings {
    /// Running, with as many items as the caller has tokens.
    pub running: Vec<Keyring>,
    /// Not here: name, and why.
    pub absent: Vec<(&'static str, String)>,
}

/// One that runs. Fields end in this order.
pub struct Keyring {
    /// As the table names it.
    pub name: &'static str,
    service: Process,
    bus: Process,
    home: TempDir,
}

impl Keyrings {
    /// Starts and fills those that are installed.
    pub fn start(programs: &Programs) -> Self {
        let mut keyrings = Self { running: Vec::new(), absent: Vec::new() };
        for (name, program, arguments, package) in SERVICES {
            let client = programs.path("keyring");
            match find(program) {
                None => keyrings.absent.push((name, format!("{program} is not installed ({package})"))),
                Some(_) if !client.exists() => {
                    keyrings.absent.push((name, "libsecret is not installed (package libsecret-1-dev)".into()));
                }
                Some(program) => {
                    eprintln!("bench: filling {name}");
                    let keyring = Keyring::start(name, &program, arguments);
                    keyring.fill(&client);
                    keyrings.running.push(keyring);
                }
            }
        }
        keyrings
    }

    /// Whether the keyring is there.
    pub fn get(&self, name: &str) -> Option<&Keyring> {
        self.running.iter().find(|keyring| keyring.name == name)
    }
}

impl Keyring {
    fn start(name: &'static str, program: &Path, arguments: &[&str]) -> Self {
        let home = tempfile::Builder::new().prefix("tokenvault-keyring.").tempdir().expect("a temporary directory");
        std::fs::create_dir_all(home.path().join(".local/share/keyrings")).expect("a home");
        let mut command = ROOT.command("dbus-daemon");
        command.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        command.arg(format!("--address={}", address(&home))).envs(environment(&home));
        let bus = bus::start(&mut command);
        let log = std::fs::File::create(home.path().join("log")).expect("a log");
        let mut child = ROOT
            .command(program)
            .args(arguments)
            .envs(environment(&home))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("a keyring");
        child.stdin.take().expect("a piped stdin").write_all(b"throw-away").expect("a password");
        let keyring = Self { name, service: Process::adopt(child), bus, home };
        wait::until(&format!("{name} to be on its bus"), || keyring.is_on_its_bus().then_some(()));
        keyring
    }

    fn is_on_its_bus(&self) -> bool {
        let output = Command::new("dbus-send")
            .arg(format!("--bus={}", address(&self.home)))
            .args(["--print-reply=literal", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"])
            .args(["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"])
            .output()
            .expect("dbus-send (package dbus-bin)");
        String::from_utf8_lossy(&output.stdout).contains("true")
    }

    fn fill(&self, client: &Path) {
        let status = ROOT
            .command(client)
            .args(["fill", &OWN_TOKENS.to_string(), &VALUE_BYTES.to_string()])
            .envs(environment(&self.home))
            .status()
            .expect("tests/bench/keyring.c");
        assert!(status.success(), "{} could not be filled", self.name);
    }

    /// Looks items up through libsecret.
    pub fn lookup(&self, programs: &Programs) -> Load {
        let words = ["lookup", &OWN_TOKENS.to_string(), &VALUE_BYTES.to_string()];
        self.in_session(Load::new(programs.path("keyring"), ROOT, &words))
    }

    /// A load that finds this keyring.
    pub fn in_session(&self, mut load: Load) -> Load {
        for (variable, value) in environment(&self.home) {
            load = load.with(variable, value);
        }
        load
    }

    /// The processes that answer.
    pub fn processes(&self) -> [u32; 2] {
        [self.service.id(), self.bus.id()]
    }
}

fn address(home: &TempDir) -> String {
    format!("unix:path={}", home.path().join("bus").display())
}

/// Nothing in it leads to the keyring of whoever runs this.
fn environment(home: &TempDir) -> [(&'static str, String); 4] {
    let path = home.path().display().to_string();
    [
        ("HOME", path.clone()),
        ("XDG_RUNTIME_DIR", path),
        ("DBUS_SESSION_BUS_ADDRESS", address(home)),
        ("GSETTINGS_BACKEND", "memory".into()),
    ]
}

/// A program of the search path.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}
