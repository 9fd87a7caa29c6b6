//! A program between worker and TPM that keeps what it forwards.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// Same-sized bytes to put in the place of others, on the way from the TPM.
pub type Lie = (Vec<u8>, Vec<u8>);

/// Listens on two ports as an emulator does, until the test ends.
pub struct Wiretap {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    target: u16,
    lie: Option<Lie>,
    heard: Vec<u8>,
    commands: Vec<Vec<u8>>,
}

impl Wiretap {
    /// Stands before the emulator at `target`.
    pub fn before(target: u16) -> Self {
        let (commands, control) = neighbours();
        let port = commands.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { target, lie: None, heard: Vec::new(), commands: Vec::new() }));
        for (offset, listener) in [(0, commands), (1, control)] {
            let state = Arc::clone(&state);
            // Ends with the test process: it waits for connections that do not come any more.
            thread::spawn(move || {
                for client in listener.incoming() {
                    forward(client.unwrap(), offset, &state);
                }
            });
        }
        Self { port, state }
    }

    /// The way to the TPM that passes through here.
    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// From now on another emulator answers.
    pub fn redirect(&self, target: u16) {
        lock(&self.state).target = target;
    }

    /// From now on answers are changed.
    pub fn lie(&self, lie: Lie) {
        assert_eq!(lie.0.len(), lie.1.len());
        lock(&self.state).lie = Some(lie);
    }

    /// Whether the bytes were sent in either direction, in one piece.
    pub fn heard(&self, needle: &[u8]) -> bool {
        lock(&self.state).heard.windows(needle.len()).any(|window| window == needle)
    }

    /// How many bytes were sent in both directions.
    pub fn bytes(&self) -> usize {
        lock(&self.state).heard.len()
    }

    /// What was sent of the command `code`, in order: everything after its header.
    pub fn commands(&self, code: u32) -> Vec<Vec<u8>> {
        let state = lock(&self.state);
        let of_code = state.commands.iter().filter(|command| command.get(6..10) == Some(&code.to_be_bytes()));
        of_code.map(|command| command[10..].to_vec()).collect()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap()
}

/// Two free ports that follow each other.
fn neighbours() -> (TcpListener, TcpListener) {
    for _ in 0..1000 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        if let Some(next) = port.checked_add(1)
            && let Ok(second) = TcpListener::bind((Ipv4Addr::LOCALHOST, next))
        {
            return (first, second);
        }
    }
    panic!("no two free ports side by side");
}

fn forward(client: TcpStream, offset: u16, state: &Arc<Mutex<State>>) {
    let target = lock(state).target + offset;
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)) else { return };
    let up = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let ears = Arc::clone(state);
    thread::spawn(move || {
        pump(up.0, up.1, |bytes| {
            let mut state = lock(&ears);
            state.heard.extend_from_slice(bytes);
            if offset == 0 {
                state.commands.push(bytes.to_vec());
            }
        });
    });
    let ears = Arc::clone(state);
    thread::spawn(move || {
        pump(server, client, |bytes| {
            let mut state = lock(&ears);
            if let Some((from, to)) = &state.lie {
                replace(bytes, from, to);
            }
            state.heard.extend_from_slice(bytes);
        });
    });
}

/// Moves bytes until one side ends, then ends the other. Questions and answers take turns, and arrive in one piece on loopback.
fn pump(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&mut [u8])) {
    let mut buffer = [0; 8192];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        see(&mut buffer[..len]);
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    for start in 0..bytes.len().saturating_sub(from.len() - 1) {
        if bytes[start..].starts_with(from) {
            bytes[start..start + to.len()].copy_from_slice(to);
        }
    }
}
