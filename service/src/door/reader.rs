//! The half of a connection that is read from.
//!
//! zbus makes room for what a header claims before it has it. So nothing of a message is shown to zbus before all of it
//! is here, measured, and counted as a call in flight; then it is handed out in the pieces zbus asks for.

use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep, timeout_at};
use zbus::connection::socket::ReadHalf;
use zbus::export::async_trait::async_trait;

use super::Unread;
use super::flight::Kept;
use super::wire::Wire;
use crate::fast_path;
use crate::message::called::Called;
use crate::message::header::{self, Header};
use crate::message::inbox::{Inbox, MOST_DESCRIPTORS};
use crate::message::refusal::{self, Cause};
use crate::value::Claim;

/// Messages that are no calls, taken of one client over its whole connection. An honest one sends none: the vault asks its
/// clients nothing, so there is nothing to answer, and it watches no signal.
const MOST_NO_CALLS: u32 = 16;

/// Pause of a connection whose user is over a rate.
const RATE_PAUSE: Duration = Duration::from_millis(10);

/// Hands whole, measured calls to zbus, and answers those of the fast path.
pub(super) struct Reader {
    wire: Arc<Wire>,
    inbox: Inbox,
    /// Bytes of the present message that zbus has not asked for yet.
    left: usize,
    fds: Vec<OwnedFd>,
    /// Messages so far that were no calls.
    no_calls: u32,
}

impl Reader {
    /// From what came behind the greeting on.
    pub(super) const fn new(wire: Arc<Wire>, inbox: Inbox) -> Self {
        Self { wire, inbox, left: 0, fds: Vec::new(), no_calls: 0 }
    }

    /// Waits for the next call that zbus has to see; whether there is one.
    async fn next_call(&mut self) -> io::Result<bool> {
        while let Some(header) = self.next_message().await? {
            let silence = self.wire.host.silence(self.wire.uid);
            if !silence.is_zero() {
                sleep(silence).await;
            }
            self.fds = self.take_descriptors(&header)?;
            if header.is_call {
                if self.answer(&header).await? {
                    continue;
                }
                let Ok(claim) = self.wait_for_turn(&header).await else {
                    self.refuse(&header).await?;
                    continue;
                };
                let taken_in = self.wire.account.take_in(self.fds.len()).await;
                let kept = Kept { taken_in, claim };
                if !self.wire.flight.take_off(header.serial, header.len, header.no_reply, kept).await {
                    return Ok(false);
                }
                header::expect_reply(self.inbox.bytes_mut());
                self.left = header.len;
                return Ok(true);
            }
            // No ticket is taken for these, so nothing else would keep a client from having them read for ever.
            self.no_calls += 1;
            if self.no_calls > MOST_NO_CALLS {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "too many messages that are no calls"));
            }
            self.fds.clear();
            self.inbox.consume(header.len);
        }
        Ok(false)
    }

    /// Answers a call itself, where that can be done at once; whether it was.
    async fn answer(&mut self, header: &Header) -> io::Result<bool> {
        let wire = &self.wire;
        let Some(path) = wire.fast_path.as_deref() else { return Ok(false) };
        if !self.fds.is_empty() || !fast_path::may_answer(header) {
            return Ok(false);
        }
        let Some(ticket) = wire.flight.take_one() else { return Ok(false) };
        let message = self.inbox.bytes().get(..header.len).unwrap_or_default();
        let Some(reply) = fast_path::answer(path, header, message) else { return Ok(false) };
        let written = match &reply.value {
            Some(value) => {
                wire.write_value(&reply.bytes, &[value.as_fd()], |cause| reply.refusal(cause).map(Some)).await
            }
            None => wire.write(&reply.bytes, &[]).await,
        };
        // Also when there is nothing that can be said instead.
        written.inspect_err(|_| wire.hang_up())?;
        drop((reply, ticket));
        self.inbox.consume(header.len);
        // Nobody's calls must keep the thread for themselves.
        consume_budget().await;
        Ok(true)
    }

    /// Waits until the call may be answered, as far as nobody else sees to that.
    async fn wait_for_turn(&self, header: &Header) -> Result<Option<Claim>, Unread> {
        let message = self.inbox.bytes().get(..header.len).unwrap_or_default();
        let call = Called::read(header, message);
        let (host, uid) = (&self.wire.host, self.wire.uid);
        while !host.admits(uid, &call) {
            sleep(RATE_PAUSE).await;
        }
        host.claim(uid, &call).await
    }

    /// Answers that there are too many unread replies for another one, and is through with the call.
    async fn refuse(&mut self, header: &Header) -> io::Result<()> {
        self.fds.clear();
        self.inbox.consume(header.len);
        let Some(call) = NonZeroU32::new(header.serial).filter(|_| !header.no_reply) else { return Ok(()) };
        let refusal = refusal::instead(call, None, Cause::TooManyUnread)?;
        self.wire.write(refusal.data().bytes(), &[]).await.inspect_err(|_| self.wire.hang_up())
    }

    /// Waits until a message is here as a whole; `None` at the end.
    async fn next_message(&mut self) -> io::Result<Option<Header>> {
        let mut complete_by = None;
        loop {
            if let Some(header) = Header::read(self.inbox.bytes())?
                && self.inbox.bytes().len() >= header.len
            {
                return Ok(Some(header));
            }
            if complete_by.is_none() && !self.inbox.bytes().is_empty() {
                complete_by = Some(Instant::now() + self.wire.message_time);
            }
            let more = self.inbox.receive(&self.wire.socket);
            let count = match complete_by {
                Some(deadline) => timeout_at(deadline, more).await??,
                None => more.await?,
            };
            if count == 0 {
                return Ok(None);
            }
            if !self.wire.passes_fds && self.inbox.descriptors() > 0 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "file descriptors were not negotiated"));
            }
        }
    }

    fn take_descriptors(&mut self, header: &Header) -> io::Result<Vec<OwnedFd>> {
        if self.inbox.descriptors() == 0 {
            return Ok(Vec::new());
        }
        let message = self.inbox.bytes().get(..header.len).unwrap_or_default();
        let count = header.descriptors(message)?;
        if count > MOST_DESCRIPTORS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "more file descriptors than any method takes"));
        }
        let fds = self.inbox.take_descriptors(count);
        if self.inbox.bytes().len() == header.len && self.inbox.descriptors() > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "file descriptors that belong to no message"));
        }
        Ok(fds)
    }
}

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        if self.left == 0 && !self.next_call().await? {
            return Ok((0, Vec::new()));
        }
        let count = self.inbox.hand_out(buffer, self.left);
        self.left -= count;
        Ok((count, std::mem::take(&mut self.fds)))
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

// What passes through it is not shown: requests name tokens.
impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
