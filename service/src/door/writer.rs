//! The half of a connection that is written to.

use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use zbus::Message;
use zbus::connection::socket::WriteHalf;
use zbus::export::async_trait::async_trait;
use zbus::message::Type;

use super::wire::Wire;
use crate::message::refusal;

/// Writes replies, and lets the next calls in as they are written.
pub(super) struct Writer {
    wire: Arc<Wire>,
}

impl Writer {
    pub(super) const fn new(wire: Arc<Wire>) -> Self {
        Self { wire }
    }

    /// Writes a reply, or in its place why it cannot be had.
    async fn reply(&self, message: &Message) -> io::Result<()> {
        let fds: Vec<BorrowedFd<'_>> = message.data().fds().iter().map(AsFd::as_fd).collect();
        if fds.is_empty() {
            return self.wire.write(message.data().bytes(), &fds).await;
        }
        self.wire.write_value(message.data().bytes(), &fds, |cause| refusal::in_place_of(message, cause)).await
    }
}

#[async_trait]
impl WriteHalf for Writer {
    async fn send_message(&mut self, message: &Message) -> zbus::Result<()> {
        if !matches!(message.message_type(), Type::MethodReturn | Type::Error) {
            return Ok(self.wire.write(message.data().bytes(), &[]).await?);
        }
        let landing = self.wire.flight.look_up(|| message.header().reply_serial().map(NonZeroU32::get));
        let result = if landing.swallow { Ok(()) } else { self.reply(message).await };
        // Also when there is nothing that can be said instead.
        let result = result.inspect_err(|_| self.wire.hang_up());
        self.wire.flight.land(landing);
        Ok(result?)
    }

    async fn close(&mut self) -> io::Result<()> {
        self.wire.hang_up();
        Ok(())
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

// What passes through it is not shown: replies name tokens.
impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
