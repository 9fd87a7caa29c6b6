//! One worker process, from its start to its end.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use tokenvault_core::port::SealError;
use tokenvault_tpm::{PREFIX, body_len};

/// Most of a dying worker's words that go into an error.
const MAX_COMPLAINT: usize = 256;

/// A running worker. Killed and reaped when dropped.
///
/// No signal handler is involved, and nothing waits for the process without a deadline: one that sits in the kernel's TPM
/// driver cannot be killed before the driver lets go, so a thread of its own waits for the end.
pub struct Worker {
    child: Option<Child>,
    socket: UnixStream,
    complaints: UnixStream,
    deadline: Instant,
}

impl Worker {
    /// Starts the program with a socket as its standard input, and no environment: libtss2 takes orders from it.
    pub fn start(program: &Path, deadline: Instant) -> Result<Self, SealError> {
        let failed = |error: io::Error| {
            SealError::Failed(format!("cannot start {}: {error}; check 'worker' in [tpm]", program.display()))
        };
        let (socket, theirs) = UnixStream::pair().map_err(failed)?;
        let (complaints, their_stderr) = UnixStream::pair().map_err(failed)?;
        complaints.set_nonblocking(true).map_err(failed)?;
        let child = Command::new(program)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(OwnedFd::from(their_stderr))
            .spawn()
            .map_err(failed)?;
        Ok(Self { child: Some(child), socket, complaints, deadline })
    }

    /// Sends the first `len` bytes of `buffer` and receives the answer into it; the answer without its length.
    pub fn exchange(mut self, buffer: &mut [u8], len: usize) -> Result<&[u8], SealError> {
        match self.transfer(buffer, len) {
            Ok(len) => buffer.get(PREFIX..PREFIX.saturating_add(len)).ok_or(SealError::Timeout),
            Err(error) => Err(self.explain(error)),
        }
    }

    fn transfer(&mut self, buffer: &mut [u8], len: usize) -> io::Result<usize> {
        self.send(buffer.get(..len).unwrap_or_default())?;
        let (prefix, room) = buffer.split_first_chunk_mut::<PREFIX>().ok_or(ErrorKind::InvalidInput)?;
        self.receive(prefix)?;
        let len = body_len(*prefix).map_err(io::Error::other)?;
        self.receive(room.get_mut(..len).ok_or(ErrorKind::InvalidInput)?)?;
        // The worker ends after its answer; another byte is not an answer any more.
        match self.receive(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(len),
            Err(error) => Err(error),
            Ok(()) => Err(io::Error::other("bytes after the answer")),
        }
    }

    fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.socket.set_write_timeout(Some(self.left()?))?;
            match self.socket.write(bytes) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn receive(&mut self, mut room: &mut [u8]) -> io::Result<()> {
        while !room.is_empty() {
            self.socket.set_read_timeout(Some(self.left()?))?;
            match self.socket.read(room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => room = room.get_mut(got..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// Turns a failed transfer into its cause: the deadline, the worker's end, or what it sent.
    fn explain(mut self, error: io::Error) -> SealError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => SealError::Timeout,
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                let left = self.deadline.saturating_duration_since(Instant::now());
                let status = self.end().and_then(|ended| ended.recv_timeout(left).ok());
                let status = status.map_or_else(|| "still running".into(), |status| status.to_string());
                SealError::Failed(format!("the TPM worker gave no answer ({status}){}", self.complaint()))
            }
            _ => SealError::Failed(format!("the TPM worker's answer is malformed: {error}")),
        }
    }

    /// What the worker printed before it died: the loader's words about a missing library, for one.
    fn complaint(&mut self) -> String {
        let mut bytes = [0; MAX_COMPLAINT];
        let len = self.complaints.read(&mut bytes).unwrap_or(0);
        let text = String::from_utf8_lossy(bytes.get(..len).unwrap_or_default());
        let line = text.trim().replace(|c: char| c.is_control(), " ");
        if line.is_empty() { line } else { format!(": {line}") }
    }

    /// Kills the process; the receiver gets its status once it is reaped. A process that has begun to exit keeps its own
    /// status.
    fn end(&mut self) -> Option<Receiver<ExitStatus>> {
        let mut child = self.child.take()?;
        let (sender, receiver) = mpsc::channel();
        // Fails only when it is gone already.
        let _ = child.kill();
        let reap = move || {
            if let Ok(status) = child.wait() {
                // Nobody listens after a deadline.
                let _ = sender.send(status);
            }
        };
        thread::Builder::new().name("tpm-reaper".into()).spawn(reap).ok().map(|_| receiver)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}
