//! The rest of a value that is longer than what is taken in one piece: taken part by part, as it is asked for.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::uio::pread;
use tokenvault_core::Secret;
use tokio::time::timeout;

use super::ReceiveError;
use super::pipe::Source;

/// How many times longer than without progress a value may take as a whole.
const PATIENCE: u32 = 60;

/// A value that is not over yet.
pub struct LongValue {
    from: Origin,
    /// How long the writer may make no progress.
    patience: Duration,
    /// When it has to be there, however well it progresses.
    until: Option<Instant>,
}

enum Origin {
    Pipe { beginning: Beginning, source: Source },
    File { fd: OwnedFd, size: u64, at: u64 },
}

/// What was taken in one piece, and how much of it was handed on.
struct Beginning {
    bytes: Secret,
    at: usize,
}

/// A part of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its bytes.
    pub len: usize,
    /// Whether the value ends with it.
    pub is_last: bool,
}

impl LongValue {
    pub(super) fn of_pipe(beginning: Secret, source: Source, patience: Duration) -> Self {
        Self::new(Origin::Pipe { beginning: Beginning { bytes: beginning, at: 0 }, source }, patience)
    }

    pub(super) fn of_file(fd: OwnedFd, size: u64, patience: Duration) -> Self {
        Self::new(Origin::File { fd, size, at: 0 }, patience)
    }

    fn new(from: Origin, patience: Duration) -> Self {
        let mut value = Self { from, patience, until: None };
        value.begin();
        value
    }

    /// How long it may take as a whole.
    pub const fn longest(&self) -> Duration {
        self.patience.saturating_mul(PATIENCE)
    }

    /// Has that time begin.
    pub fn begin(&mut self) {
        self.until = Instant::now().checked_add(self.longest());
    }

    /// Bytes of it, where that is known from the beginning.
    pub const fn size(&self) -> Option<u64> {
        match self.from {
            Origin::Pipe { .. } => None,
            Origin::File { size, .. } => Some(size),
        }
    }

    /// Fills `room` with what comes next; only the last part may be shorter.
    ///
    /// # Errors
    /// [`ReceiveError::Timeout`], [`ReceiveError::Io`].
    pub async fn fill(&mut self, room: &mut [u8]) -> Result<Part, ReceiveError> {
        let mut len = match &mut self.from {
            Origin::File { fd, size, at } => return read_file(fd, *size, at, room),
            Origin::Pipe { beginning, .. } => beginning.hand_on(room),
        };
        loop {
            let Origin::Pipe { source, .. } = &mut self.from else { return Err(unexpected_end()) };
            len += source.read(room.get_mut(len..).unwrap_or_default())?;
            if source.has_bytes() {
                return Ok(Part { len, is_last: false });
            }
            if !self.wait().await? {
                return Ok(Part { len, is_last: true });
            }
        }
    }

    /// Waits for more; whether there is any.
    async fn wait(&mut self) -> Result<bool, ReceiveError> {
        let left = self.until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
        let too_slow = ReceiveError::TooSlow(self.longest());
        let Origin::Pipe { source, .. } = &mut self.from else { return Ok(false) };
        if left.is_zero() {
            return Err(too_slow);
        }
        let longest = self.patience.min(left);
        let more = timeout(longest, source.wait()).await.map_err(|_| match left < self.patience {
            true => too_slow,
            false => ReceiveError::Stalled(self.patience),
        })??;
        // A writer faster than we are must not keep this thread for itself.
        tokio::task::coop::consume_budget().await;
        Ok(more)
    }
}

impl Beginning {
    fn hand_on(&mut self, room: &mut [u8]) -> usize {
        let rest = self.bytes.expose().get(self.at..).unwrap_or_default();
        let len = rest.len().min(room.len());
        for (to, from) in room.iter_mut().zip(rest) {
            *to = *from;
        }
        self.at += len;
        len
    }
}

fn read_file(fd: &OwnedFd, size: u64, at: &mut u64, room: &mut [u8]) -> Result<Part, ReceiveError> {
    let mut len = 0;
    while *at < size
        && let Some(rest) = room.get_mut(len..).filter(|rest| !rest.is_empty())
    {
        let most = usize::try_from(size - *at).unwrap_or(usize::MAX).min(rest.len());
        let rest = rest.get_mut(..most).unwrap_or_default();
        match pread(fd, rest, i64::try_from(*at).map_err(io::Error::other)?) {
            Ok(0) => return Err(unexpected_end()),
            Ok(count) => {
                len += count;
                *at += count as u64;
            }
            Err(Errno::EINTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    Ok(Part { len, is_last: *at == size })
}

fn unexpected_end() -> ReceiveError {
    io::Error::from(io::ErrorKind::UnexpectedEof).into()
}

#[cfg(test)]
mod tests;
