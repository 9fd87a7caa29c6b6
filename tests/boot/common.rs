//! Words the cases share.

pub use tokenvault_tests::wait;

pub use crate::machine::{ADMIN, ALICE, BOB, Machine};
pub(crate) use crate::site;

/// The service.
pub const SERVICE: &str = "tokenvaultd.service";
/// The sockets it is given.
pub const SOCKETS: [&str; 2] = ["tokenvaultd.socket", "tokenvault-credentials.socket"];

/// A door as `TOKENVAULT_ADDRESS` names it.
#[derive(Debug, Clone, Copy)]
pub enum Door {
    /// The private socket.
    Socket,
    /// The system bus.
    Bus,
}

impl Door {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Socket, Self::Bus];

    /// A shell command that goes through this door.
    pub fn shell(self, command: &str) -> String {
        let address = match self {
            Self::Socket => "unix:path=/run/tokenvault/bus",
            Self::Bus => "bus:unix:path=/run/dbus/system_bus_socket",
        };
        format!("export TOKENVAULT_ADDRESS={address}; {command}")
    }
}

/// What the machine's vault does for everybody, asked for until it is so.
pub trait Serving {
    /// The state the vault says it is in.
    fn state(&self) -> String;
    /// Waits for a state.
    fn wait_for_state(&self, state: &str);
    /// Adds a recovery key to the vault, kept in that file of root's.
    fn set_up_recovery(&self, file: &str);
    /// Stores a value of a user.
    fn put(&self, user: (&str, &str), name: &str, value: &str);
    /// Fetches it.
    fn get(&self, user: (&str, &str), name: &str) -> String;
}

impl Serving for Machine {
    fn state(&self) -> String {
        let status = self.root("tokenvaultctl status --json=short").succeeds();
        let (_, rest) = status.split_once("\"state\":\"").expect("a status has a state");
        rest.split('"').next().unwrap().to_owned()
    }

    fn wait_for_state(&self, state: &str) {
        wait::until(&format!("state '{state}'"), || (self.state() == state).then_some(()));
    }

    fn set_up_recovery(&self, file: &str) {
        self.root(&format!("tokenvaultctl init --recovery-out {file} --confirm-from {file}")).succeeds();
    }

    fn put(&self, user: (&str, &str), name: &str, value: &str) {
        self.user_reading(user, value, &format!("tokenvault put {name}")).succeeds();
    }

    fn get(&self, user: (&str, &str), name: &str) -> String {
        self.user(user, &format!("tokenvault get {name}")).succeeds()
    }
}

/// A machine whose packages were installed before this boot and whose vault has made itself.
pub fn serving() -> Machine {
    let machine = Machine::installed();
    machine.wait_for_state("serving");
    machine
}
