//! The half of a bus connection that is read from.
//!
//! zbus ends a connection with the first message that it cannot take, and a bus passes on such messages: fields that nobody
//! knows, a number of descriptors that did not come. On a bus that would let any of its users cut the vault off from all
//! others. So zbus reads each message here first, with what it always reads with, and what it refuses goes no further.

use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use zbus::Message;
use zbus::connection::socket::ReadHalf;
use zbus::export::async_trait::async_trait;

use super::BusWire;
use super::calls::Taken;
use super::intake::Intake;
use super::skip::Skip;
use crate::door::header::{Header, MOST_BYTES};
use crate::door::refusal::{self, Cause};

/// Most descriptors of a message that zbus is shown: more than any method takes.
const MOST_DESCRIPTORS: usize = 16;

/// Hands lines and judged messages to zbus.
pub(super) struct Reader {
    wire: Arc<BusWire>,
    intake: Intake,
}

impl Reader {
    pub(super) fn new(wire: Arc<BusWire>) -> Self {
        let intake = Intake::new(Arc::clone(&wire));
        Self { wire, intake }
    }

    /// Waits for the next message that zbus can have, and skips what comes before it.
    async fn next_message(&mut self, seq: u64) -> io::Result<Message> {
        loop {
            let header = self.intake.next_header().await?;
            let judged = self.judge(&header, seq).await?;
            let taken = match &judged {
                Ok(call) if header.is_call => self.wire.calls.take(&header, call).await,
                _ => Taken::Yes,
            };
            match (judged, taken) {
                (Err(cause), _) => self.refuse(&header, cause).await?,
                (Ok(_), Taken::TooMuch) => self.refuse(&header, Cause::TooMuchHeld).await?,
                // The bus tells its caller when the connection ends, which is soon.
                (Ok(_), Taken::Closed) => self.intake.drop_message(&header),
                (Ok(message), Taken::Yes) => {
                    self.intake.drop_message(&header);
                    return Ok(message);
                }
            }
        }
    }

    /// The message that begins with this header, or why it is not taken.
    async fn judge(&mut self, header: &Header, seq: u64) -> io::Result<Result<Message, Cause>> {
        if header.len > MOST_BYTES {
            return Ok(Err(Cause::TooLarge));
        }
        if self.intake.complete(header).await? > MOST_DESCRIPTORS {
            return Ok(Err(Cause::TooManyBrought));
        }
        Ok(self.intake.parse(header, seq).await.ok_or(Cause::Malformed))
    }

    /// Skips a message that is not taken; a call is told so.
    async fn refuse(&mut self, header: &Header, cause: Cause) -> io::Result<()> {
        let sender = Skip::new(&mut self.intake, header).run().await?;
        let (Some(call), Some(sender)) = (NonZeroU32::new(header.serial), sender) else { return Ok(()) };
        if !header.is_call || header.no_reply {
            return Ok(());
        }
        match refusal::instead(call, Some(&sender), cause) {
            Ok(refusal) => self.wire.write(&refusal).await,
            // Nobody has such a name.
            Err(_) => Ok(()),
        }
    }
}

#[async_trait]
impl ReadHalf for Reader {
    async fn receive_message(
        &mut self,
        seq: u64,
        // What came with the greeting. Nothing does: its lines are given out one by one.
        _bytes: &mut Vec<u8>,
        _fds: &mut Vec<OwnedFd>,
    ) -> zbus::Result<Message> {
        Ok(self.next_message(seq).await?)
    }

    /// The greeting, which zbus reads in bytes.
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let line = self.intake.next_line().await?;
        Ok((self.intake.inbox.hand_out(buffer, line), Vec::new()))
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
