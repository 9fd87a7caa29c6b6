//! A way to the software TPM that takes its time: how long the chip itself worked.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes before the body of every TPM command and response; the size is in the middle of them.
const HEADER: usize = 10;

/// Stands before an emulator, on two ports as that one does.
pub struct TimedChip {
    port: u16,
    nanoseconds: Arc<AtomicU64>,
}

impl TimedChip {
    /// Stands before the emulator at `target`, until the process ends.
    pub fn before(target: u16) -> Self {
        let (commands, control) = neighbours();
        let port = commands.local_addr().expect("an address").port();
        let nanoseconds = Arc::new(AtomicU64::new(0));
        let spent = Arc::clone(&nanoseconds);
        thread::spawn(move || {
            for client in commands.incoming().flatten() {
                // Ends when either side hangs up.
                serve_commands(client, target, &spent).ok();
            }
        });
        thread::spawn(move || {
            for client in control.incoming().flatten() {
                serve_control(&client, target + 1).ok();
            }
        });
        Self { port, nanoseconds }
    }

    /// The way to it.
    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// How long the chip worked since the last time this was asked.
    pub fn take_time(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.swap(0, Ordering::SeqCst))
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn serve_commands(mut client: TcpStream, target: u16, spent: &AtomicU64) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut chip = connect(target)?;
    loop {
        let command = read_message(&mut client)?;
        let begun = Instant::now();
        chip.write_all(&command)?;
        let response = read_message(&mut chip)?;
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        spent.fetch_add(took, Ordering::SeqCst);
        client.write_all(&response)?;
    }
}

fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; HEADER];
    stream.read_exact(&mut message)?;
    let size = u32::from_be_bytes([message[2], message[3], message[4], message[5]]);
    message.resize(usize::try_from(size).map_err(io::Error::other)?.max(HEADER), 0);
    stream.read_exact(&mut message[HEADER..])?;
    Ok(message)
}

fn serve_control(client: &TcpStream, target: u16) -> io::Result<()> {
    let chip = connect(target)?;
    let (mut from, mut to) = (client.try_clone()?, chip.try_clone()?);
    let there = thread::spawn(move || {
        io::copy(&mut from, &mut to).ok();
        to.shutdown(Shutdown::Write).ok();
    });
    io::copy(&mut &chip, &mut &*client)?;
    client.shutdown(Shutdown::Both).ok();
    there.join().ok();
    Ok(())
}

/// Two free ports that follow each other.
fn neighbours() -> (TcpListener, TcpListener) {
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    for _ in 0..1_000 {
        let first = listen(0).expect("a free port");
        let port = first.local_addr().expect("an address").port();
        if let Some(second) = port.checked_add(1).and_then(|next| listen(next).ok()) {
            return (first, second);
        }
    }
    panic!("no two free ports that follow each other");
}
