//! What a program that only says that it is the vault answers to the library that C, Python and Go programs are linked to.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokenvault_client::{Address, Client};

/// Bytes of the calls and the greeting, at most.
const ROOM: usize = 4096;
/// How long anybody waits: all that will ever come is there at once.
const DEADLINE: Duration = Duration::from_millis(200);

/// Gives everybody who comes the same answer, whatever is asked.
fn answer(listener: &UnixListener, answer: &[u8], ends: &AtomicBool) {
    while let Ok((mut peer, _)) = listener.accept() {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let _gone = peer.set_read_timeout(Some(DEADLINE));
        let _gone = peer.write_all(answer).and_then(|()| peer.shutdown(Shutdown::Write));
        let mut room = [0; ROOM];
        while matches!(peer.read(&mut room), Ok(1..)) {}
    }
}

/// The first byte says what is asked for.
pub fn run(data: &[u8]) {
    static PLACE: OnceLock<TempDir> = OnceLock::new();
    let Some((question, said)) = data.split_first() else { return };
    let path = PLACE.get_or_init(|| tempfile::tempdir().expect("a directory")).path().join("bus");
    let _none_yet = fs::remove_file(&path);
    let (listener, ends) = (UnixListener::bind(&path).expect("a socket"), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| answer(&listener, said, &ends));
        ask(*question, &path);
        ends.store(true, Ordering::Relaxed);
        drop(UnixStream::connect(&path));
    });
}

fn ask(question: u8, path: &Path) {
    let address: Address = format!("unix:path={}", path.display()).parse().expect("an address");
    let Ok(mut client) = Client::open_within(Some(&address), DEADLINE) else { return };
    client.set_deadline(DEADLINE);
    match question % 8 {
        0 => drop(client.get("a", &Default::default())),
        1 => drop(client.list(&Default::default())),
        2 => drop(client.status()),
        3 => drop(client.who_am_i()),
        4 => drop(client.versions("a", &Default::default())),
        5 => drop(client.shares("a", &Default::default())),
        6 => drop(client.validate("a", &Default::default())),
        _ => drop(client.put("a", b"1", &Default::default())),
    }
}
