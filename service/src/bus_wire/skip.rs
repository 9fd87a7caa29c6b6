//! A message that is not taken: passes through, if it is large in small pieces, and only its sender is kept.
//!
//! The sender may stand behind other fields of any length, so these are walked through as they come (D-Bus specification,
//! "Header Fields"). The bus writes who sent it; it is not believed to be free of fields that nobody knows.

use std::io;

use super::intake::Intake;
use crate::door::header::{Header, PREFIX};

/// Code of the header field with the sender's unique name.
const SENDER: u8 = 7;
/// Longest bus name.
const LONGEST_NAME: usize = 255;
/// How much is thrown away at once.
const PIECE: usize = 4096;

/// Walks through one message.
pub(super) struct Skip<'a> {
    intake: &'a mut Intake,
    header: &'a Header,
    at: usize,
}

impl<'a> Skip<'a> {
    /// From the first byte of a message on.
    pub(super) const fn new(intake: &'a mut Intake, header: &'a Header) -> Self {
        Self { intake, header, at: 0 }
    }

    /// Leaves nothing of the message, not its descriptors either; who sent it, where that can be told.
    pub(super) async fn run(mut self) -> io::Result<Option<String>> {
        self.intake.drop_descriptors();
        let sender = self.sender().await?;
        self.skip(self.header.len.saturating_sub(self.at)).await?;
        Ok(sender)
    }

    async fn sender(&mut self) -> io::Result<Option<String>> {
        let end = (PREFIX + self.header.fields).min(self.header.len);
        self.skip(PREFIX).await?;
        loop {
            self.skip(self.at.next_multiple_of(8) - self.at).await?;
            // Shorter than the shortest field.
            if end.saturating_sub(self.at) < 8 {
                return Ok(None);
            }
            // A code, then a variant: the length of a signature, the signature, its final 0, the value.
            let [code, 1, kind, 0] = self.take::<4>().await? else { return Ok(None) };
            let len = match kind {
                b's' | b'o' => self.u32().await? as usize,
                b'g' => usize::from(self.take::<1>().await?[0]),
                // Four bytes, as if the last were a final 0.
                b'u' => 3,
                // The fields everybody knows have these types; behind another nothing is looked for.
                _ => return Ok(None),
            };
            if len >= end.saturating_sub(self.at) {
                return Ok(None);
            }
            if code == SENDER && kind == b's' && len <= LONGEST_NAME {
                return self.text(len).await;
            }
            // With the final 0.
            self.skip(len + 1).await?;
        }
    }

    async fn text(&mut self, len: usize) -> io::Result<Option<String>> {
        self.intake.wait_for(len).await?;
        let text = self.intake.inbox.bytes().get(..len).unwrap_or_default();
        let text = std::str::from_utf8(text).ok().map(str::to_owned);
        self.skip(len).await?;
        Ok(text)
    }

    async fn u32(&mut self) -> io::Result<u32> {
        // A field begins at a multiple of 8, so this is at one of 4.
        self.take::<4>().await.map(|bytes| self.header.order.u32(bytes))
    }

    async fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.intake.wait_for(N).await?;
        let bytes = self.intake.inbox.bytes().first_chunk().copied();
        self.intake.inbox.consume(N);
        self.at += N;
        bytes.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    async fn skip(&mut self, mut count: usize) -> io::Result<()> {
        self.at += count;
        while count > 0 {
            self.intake.wait_for(count.min(PIECE)).await?;
            let here = self.intake.inbox.bytes().len().min(count);
            self.intake.inbox.consume(here);
            count -= here;
        }
        // What came with it is held no longer than it takes.
        drop(self.intake.take_descriptors(self.intake.inbox.bytes().len()));
        Ok(())
    }
}
