//! A program that only says that it is the vault.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// How long anybody waits: what comes, comes at once.
pub const DEADLINE: Duration = Duration::from_millis(200);

/// Has `answer` talk with each who comes to a socket, and `ask` come there.
pub fn pretend(answer: impl Fn(&mut UnixStream) + Sync, ask: impl FnOnce(&Path)) {
    static PLACE: OnceLock<TempDir> = OnceLock::new();
    let path = PLACE.get_or_init(|| tempfile::tempdir().expect("a directory")).path().join("bus");
    let _none_yet = fs::remove_file(&path);
    let (listener, ends) = (UnixListener::bind(&path).expect("a socket"), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while let Ok((mut peer, _)) = listener.accept() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                if peer.set_read_timeout(Some(DEADLINE)).is_ok() {
                    answer(&mut peer);
                }
            }
        });
        let _end = EndOf { ends: &ends, path: &path };
        ask(&path);
    });
}

/// Also when something was found: else the one who answers is waited for for ever.
struct EndOf<'a> {
    ends: &'a AtomicBool,
    path: &'a Path,
}

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        drop(UnixStream::connect(self.path));
    }
}

/// Reads until there is what is looked for in it, and behind that so much; `None` when it ends before.
pub fn read_until(peer: &mut UnixStream, begin: &[u8], more: usize) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    loop {
        let at = read.windows(begin.len()).position(|window| window == begin).map(|at| at + begin.len());
        if let Some(rest) = at.and_then(|at| read.get(at..)).filter(|rest| rest.len() >= more) {
            return Some(rest.to_vec());
        }
        read_more(peer, &mut read)?;
    }
}

/// Reads until there is a whole call, behind what was read already: its number.
pub fn read_call(peer: &mut UnixStream, mut read: Vec<u8>) -> Option<[u8; 4]> {
    loop {
        if let [b'l', _, _, _, b0, b1, b2, b3, s0, s1, s2, s3, f0, f1, f2, f3, rest @ ..] = &read[..] {
            let [body, fields] = [[*b0, *b1, *b2, *b3], [*f0, *f1, *f2, *f3]].map(u32::from_le_bytes);
            if rest.len() >= fields.next_multiple_of(8) as usize + body as usize {
                return Some([*s0, *s1, *s2, *s3]);
            }
        }
        read_more(peer, &mut read)?;
    }
}

fn read_more(peer: &mut UnixStream, read: &mut Vec<u8>) -> Option<()> {
    let mut room = [0; 4096];
    match peer.read(&mut room) {
        Ok(len @ 1..) => read.extend(&room[..len]),
        _ => return None,
    }
    Some(())
}
