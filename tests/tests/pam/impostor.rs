//! What listens where a vault should, and answers anything but what it was asked.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// What it says to whoever connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Bytes that are nothing, without an end.
    Noise,
    /// The greeting of D-Bus, and the beginning of a reply of 128 MiB that never goes on.
    HalfAReply,
}

/// The greeting, as whole as a client wants it (D-Bus specification, "Authentication Protocol").
const GREETING: &[u8] = b"OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n";
/// A reply to the first call, little-endian: its type, flags, version, bytes of the body, serial, bytes of the fields.
const HALF_A_REPLY: [u8; 16] = [b'l', 2, 0, 1, 0, 0, 0, 8, 1, 0, 0, 0, 5, 0, 0, 0];

/// The listener. It ends when dropped.
pub struct Impostor {
    path: PathBuf,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Impostor {
    /// Listens at `path`, for everyone.
    pub fn listen(path: &Path, says: Says) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let stream = stream.unwrap();
                thread::spawn(move || answer(stream, says));
            }
        });
        Self { path: path.to_owned(), is_over, thread: Some(thread) }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes it.
        UnixStream::connect(&self.path).ok();
        self.thread.take().map(JoinHandle::join);
        std::fs::remove_file(&self.path).ok();
    }
}

/// Until the other end has gone.
fn answer(mut stream: UnixStream, says: Says) {
    match says {
        Says::Noise => {
            let noise: Vec<u8> = (0..4096_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            while stream.write_all(&noise).is_ok() {}
        }
        Says::HalfAReply => {
            stream.write_all(&[GREETING, &HALF_A_REPLY].concat()).ok();
            stream.read_to_end(&mut Vec::new()).ok();
        }
    }
}
