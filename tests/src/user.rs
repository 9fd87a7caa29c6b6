//! Several real users in one test process.
//!
//! A thread takes another identity and connects; the kernel stamps the connection with that thread's credentials, so what
//! the daemon sees is what it would see from a process of that user. Names exist only for the bus and the daemon under
//! test, through `libnss_wrapper`: the machine's own user database stays as it is.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{fs, io, thread};

use crate::{glibc, sys};

/// A user of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// Name, empty when the user database has none.
    pub name: &'static str,
    /// UID, and the GID of the user's only group.
    pub uid: u32,
}

/// The administrator.
pub const ROOT: User = User { name: "root", uid: 0 };
/// The user the daemon runs as.
pub const DAEMON: User = User { name: "tokenvault", uid: 4200 };
/// The user polkit runs as.
pub const POLKITD: User = User { name: "polkitd", uid: 4201 };
/// Somebody.
pub const ALICE: User = User { name: "alice", uid: 4242 };
/// Somebody else.
pub const BOB: User = User { name: "bob", uid: 4243 };
/// A third one.
pub const CAROL: User = User { name: "carol", uid: 4244 };
/// A uid without an entry in the user database.
pub const NAMELESS: User = User { name: "", uid: 4999 };

/// Those with an entry.
const NAMED: [User; 6] = [ROOT, DAEMON, POLKITD, ALICE, BOB, CAROL];

impl User {
    /// Runs `work` in a thread that is this user.
    pub fn run<T: Send>(self, work: impl FnOnce() -> T + Send) -> T {
        require_root();
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                if self != ROOT {
                    sys::become_user_in_this_thread(self.uid, self.uid).expect("taking another identity");
                }
                work()
            });
            match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// A command that runs as this user, without groups and without the environment of the test.
    pub fn command(self, program: impl AsRef<Path>) -> Command {
        use std::os::unix::process::CommandExt;
        require_root();
        let mut command = Command::new(program.as_ref());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").current_dir("/");
        if self != ROOT {
            command.uid(self.uid).gid(self.uid);
        }
        command
    }
}

/// Says plainly what is missing when the tests are not run as root.
pub fn require_root() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "these tests act as several users at once and must run as root; run 'make test', which asks sudo"
    );
}

/// A user database of its own, for the programs of one test.
#[derive(Debug, Clone)]
pub struct UserDatabase {
    passwd: std::path::PathBuf,
    group: std::path::PathBuf,
}

impl UserDatabase {
    /// Writes the files into `directory`.
    pub fn write(directory: &Path) -> io::Result<Self> {
        let database = Self { passwd: directory.join("passwd"), group: directory.join("group") };
        database.set(&NAMED)?;
        Ok(database)
    }

    /// Has these users and no others. A daemon knows for up to a minute what it has found before.
    pub fn set(&self, users: &[User]) -> io::Result<()> {
        let (mut passwd, mut group) = (String::new(), String::new());
        for User { name, uid } in users {
            writeln!(passwd, "{name}:x:{uid}:{uid}:{name}:/nonexistent:/usr/sbin/nologin").map_err(io::Error::other)?;
            writeln!(group, "{name}:x:{uid}:").map_err(io::Error::other)?;
        }
        fs::write(&self.passwd, passwd)?;
        fs::write(&self.group, group)
    }

    /// Deletes a user, whose uid goes to somebody of another name, if to anybody.
    pub fn hand_over(&self, uid: u32, name: Option<&'static str>) -> io::Result<()> {
        let others = NAMED.into_iter().filter(|user| user.uid != uid);
        let users: Vec<User> = others.chain(name.map(|name| User { name, uid })).collect();
        self.set(&users)
    }

    /// Changes who there is. A daemon that runs has kept names for a while.
    pub fn edit(&self, change: impl FnOnce(&str) -> String) {
        let passwd = fs::read_to_string(&self.passwd).expect("the user database");
        fs::write(&self.passwd, change(&passwd)).expect("writing the user database");
    }

    /// The same of groups.
    pub fn edit_groups(&self, change: impl FnOnce(&str) -> String) {
        let groups = fs::read_to_string(&self.group).expect("the groups");
        fs::write(&self.group, change(&groups)).expect("writing the groups");
    }

    /// Makes a command see this database instead of the machine's.
    pub fn apply(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", format!("{}:libnss_wrapper.so", glibc::library().display()))
            .env("NSS_WRAPPER_PASSWD", &self.passwd)
            .env("NSS_WRAPPER_GROUP", &self.group);
    }
}
