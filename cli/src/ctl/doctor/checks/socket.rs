//! The sockets: whether they are there, and as open as they have to be.

use super::super::facts::{Facts, Socket};
use super::{Answer, DENIED, LET_EVERYONE_IN, failed, ok, warning};

/// What makes a socket anew. The service manager keeps its own over a restart of the daemon, and makes none for a daemon that runs:
/// that is started again with it.
fn remake(socket: &Socket) -> String {
    match socket.unit {
        Some(unit) => format!("systemctl restart {unit} tokenvaultd.service"),
        None => {
            format!("remove {}, then end the daemon and start it again, which makes it anew", socket.path.display())
        }
    }
}

pub(super) fn private(facts: &Facts) -> Option<Answer> {
    let socket = facts.socket.as_ref()?;
    let path = socket.path.display();
    Some(match &socket.entry {
        Err(why) if why == DENIED => warning(format!("{path}: {why}"), LET_EVERYONE_IN),
        Err(why) => {
            let fix = match socket.unit {
                Some(_) => remake(socket),
                None => "start tokenvaultd again, which makes it; check 'runtime-dir' in its configuration".to_owned(),
            };
            warning(format!("{path}: {why}"), fix)
        }
        Ok(entry) if !entry.is_socket => failed(format!("{path} is not a socket"), remake(socket)),
        Ok(entry) if entry.directory_mode & 0o022 != 0 && entry.directory_mode & 0o1000 == 0 => {
            let directory = socket.path.parent().unwrap_or(&socket.path).display();
            failed(format!("others can write to the directory of {path}"), format!("chmod go-w {directory}"))
        }
        Ok(entry) if entry.mode & 0o666 != 0o666 => {
            let fix = socket.unit.map_or_else(|| format!("chmod 0666 {path}"), |_| remake(socket));
            warning(format!("{path} has mode {:04o}, and not all users reach it", entry.mode), fix)
        }
        Ok(_) => ok(path.to_string()),
    })
}

/// What units are given their tokens through. A peer that is not root is hung up on all the same.
pub(super) fn credentials(facts: &Facts) -> Option<Answer> {
    let socket = facts.credentials.as_ref()?;
    let path = socket.path.display();
    Some(match &socket.entry {
        Err(why) => {
            let fix = match socket.unit {
                Some(unit) => format!("systemctl enable {unit}; {}", remake(socket)),
                None => "start tokenvaultd as root, which makes it".to_owned(),
            };
            warning(format!("{path}: {why}; units are given no tokens"), fix)
        }
        Ok(entry) if !entry.is_socket => failed(format!("{path} is not a socket"), remake(socket)),
        Ok(entry) if entry.owner != 0 => failed(
            format!("{path} is not root's, but of uid {}, who can give units anything", entry.owner),
            remake(socket),
        ),
        Ok(entry) if entry.mode & 0o077 != 0 => {
            let fix = socket.unit.map_or_else(|| format!("chmod 0600 {path}"), |_| remake(socket));
            warning(format!("{path} has mode {:04o}, and is for root alone", entry.mode), fix)
        }
        Ok(_) => ok(path.to_string()),
    })
}
