//! What this program is when it starts itself: servers and loads that must be processes of their own.

use std::process::ExitCode;

use crate::{disk, floor};

/// First word of the arguments of such a process.
pub const WORD: &str = "role";

/// One of them.
pub enum Role {
    /// The trivial service at a socket.
    SocketFloor(String),
    /// The trivial service on a bus.
    BusFloor(String),
    /// A socket that sends back what it gets.
    Echo(String),
    /// Plain SQLite commits in a directory.
    Commits(String),
}

/// The role these arguments ask for.
pub fn asked_for(words: &[String]) -> Option<Role> {
    let [first, role, place] = words else { return None };
    let place = place.clone();
    match (first.as_str(), role.as_str()) {
        (WORD, "socket-floor") => Some(Role::SocketFloor(place)),
        (WORD, "bus-floor") => Some(Role::BusFloor(place)),
        (WORD, "echo") => Some(Role::Echo(place)),
        (WORD, "commits") => Some(Role::Commits(place)),
        _ => None,
    }
}

impl Role {
    /// Does what it is for; a server goes on until it is killed.
    pub fn play(self) -> ExitCode {
        match self {
            Self::SocketFloor(path) => floor::serve_socket(&path),
            Self::BusFloor(address) => floor::serve_bus(&address),
            Self::Echo(path) => floor::echo(&path),
            Self::Commits(directory) => disk::commit_for_a_while(directory.as_ref()),
        }
        ExitCode::SUCCESS
    }
}
