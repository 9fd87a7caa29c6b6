//! A message that is not taken: passes through, if it is large in small pieces, and only its sender is kept.
//!
//! The sender may stand behind other fields of any length, so these are walked through as they come (D-Bus specification,
//! "Header Fields"). The bus writes who sent it; it is not believed to be free of fields that nobody knows.

use std::io;

use super::intake::Intake;
use crate::message::fields::{Fields, SENDER};
use crate::message::header::Header;

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
        self.skip_to(self.header.len).await?;
        Ok(sender)
    }

    async fn sender(&mut self) -> io::Result<Option<String>> {
        let mut fields = Fields::of(self.header);
        while let Some((start, len)) = fields.next_head() {
            self.skip_to(start).await?;
            self.intake.wait_for(len).await?;
            // Behind a field that nobody can walk over nothing is looked for.
            let Ok(field) = fields.step(self.intake.inbox.bytes()) else { return Ok(None) };
            if (field.code, field.kind) == (SENDER, b's') && field.len <= LONGEST_NAME {
                self.skip_to(field.start).await?;
                return self.text(field.len).await;
            }
        }
        Ok(None)
    }

    async fn text(&mut self, len: usize) -> io::Result<Option<String>> {
        self.intake.wait_for(len).await?;
        let text = self.intake.inbox.bytes().get(..len).unwrap_or_default();
        let text = std::str::from_utf8(text).ok().map(str::to_owned);
        self.skip(len).await?;
        Ok(text)
    }

    async fn skip_to(&mut self, place: usize) -> io::Result<()> {
        self.skip(place.saturating_sub(self.at)).await
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
