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
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::coop::consume_budget;
use tokio::time::sleep;
use zbus::Message;
use zbus::connection::socket::ReadHalf;
use zbus::export::async_trait::async_trait;

use super::calls::Taken;
use super::intake::Intake;
use super::rate::Rates;
use super::skip::Skip;
use super::{Above, BusWire};
use crate::fast_path;
use crate::message::Called;
use crate::message::header::{Header, MOST_BYTES};
use crate::message::refusal::{self, Cause};

/// Most descriptors of a message that zbus is shown: more than any method takes.
const MOST_DESCRIPTORS: usize = 16;

/// How long a refusal is held back from who calls too often: whoever waits for it calls less.
const PACE: Duration = Duration::from_millis(10);
/// Refusals held back at one time; more are given at once, so that they cost no memory.
const HELD_BACK: usize = 64;

/// Hands lines and judged messages to zbus.
pub(super) struct Reader {
    wire: Arc<BusWire>,
    above: Above,
    intake: Intake,
    rates: Rates,
    begun: Instant,
    held_back: Arc<Semaphore>,
}

impl Reader {
    pub(super) fn new(wire: Arc<BusWire>, above: Above) -> Self {
        let intake = Intake::new(Arc::clone(&wire));
        let held_back = Arc::new(Semaphore::new(HELD_BACK));
        Self { wire, above, intake, rates: Rates::default(), begun: Instant::now(), held_back }
    }

    /// Waits for the next message that zbus can have, and skips what comes before it.
    async fn next_message(&mut self, seq: u64) -> io::Result<Message> {
        loop {
            let header = self.intake.next_header().await?;
            let judged = if header.len > MOST_BYTES {
                Err(Cause::TooLarge)
            } else {
                let brought = self.intake.complete(&header).await?;
                if brought == 0 && self.answer(&header).await? {
                    continue;
                }
                self.judge(&header, brought, seq).await
            };
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

    /// Answers a call itself, where that can be done at once; whether it was.
    async fn answer(&mut self, header: &Header) -> io::Result<bool> {
        let Some(path) = self.above.fast_path.as_deref().filter(|_| fast_path::may_answer(header)) else {
            return Ok(false);
        };
        let Some(taken) = self.wire.calls.take_small() else { return Ok(false) };
        let message = self.intake.inbox.bytes().get(..header.len).unwrap_or_default();
        let Some(reply) = fast_path::answer(path, header, message) else { return Ok(false) };
        self.wire.write_reply(&reply).await?;
        drop((reply, taken));
        self.intake.drop_message(header);
        // Nobody's calls must keep the thread for themselves.
        consume_budget().await;
        Ok(true)
    }

    /// The message that is complete and brought so many descriptors, or why it is not taken.
    async fn judge(&mut self, header: &Header, brought: usize, seq: u64) -> Result<Message, Cause> {
        if brought > MOST_DESCRIPTORS {
            return Err(Cause::TooManyBrought);
        }
        let message = self.intake.parse(header, seq).await.ok_or(Cause::Malformed)?;
        if header.is_call && !self.may_call(header, &message) {
            return Err(Cause::TooOften);
        }
        Ok(message)
    }

    /// Whether a call is not to be counted here, or one of those that its sender may make.
    fn may_call(&mut self, header: &Header, call: &Message) -> bool {
        if !(self.above.is_counted)(&Called::read(header, call.data().bytes())) {
            return true;
        }
        call.header().sender().is_none_or(|sender| self.rates.take(sender, self.begun.elapsed()))
    }

    /// Skips a message that is not taken; a call is told so.
    async fn refuse(&mut self, header: &Header, cause: Cause) -> io::Result<()> {
        let sender = Skip::new(&mut self.intake, header).run().await?;
        let (Some(call), Some(sender)) = (NonZeroU32::new(header.serial), sender) else { return Ok(()) };
        if !header.is_call || header.no_reply {
            return Ok(());
        }
        // An error: nobody has such a name.
        let Ok(refusal) = refusal::instead(call, Some(&sender), cause) else { return Ok(()) };
        match Arc::clone(&self.held_back).try_acquire_owned() {
            Ok(place) if cause == Cause::TooOften => {
                let wire = Arc::clone(&self.wire);
                drop(tokio::spawn(async move {
                    sleep(PACE).await;
                    // When it cannot be written the connection ends, and the reader finds that out.
                    let _ = wire.write(&refusal).await;
                    drop(place);
                }));
                Ok(())
            }
            _ => self.wire.write(&refusal).await,
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
