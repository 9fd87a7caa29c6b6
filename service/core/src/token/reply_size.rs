//! How large an answer becomes on the wire, so that it can be bounded before it is made.
//!
//! An upper estimate: the dictionaries of `tokenvault-proto`, with the padding of D-Bus at its worst. A test compares it with
//! real replies.

use super::{Page, ShareInfo, TokenInfo, VersionInfo};

/// What a note takes beside its text.
const NOTE_BYTES: usize = 24;
/// A token's dictionary with every text empty: its keys, their types, its numbers.
const TOKEN_BYTES: usize = 400;
/// What an attribute takes beside its texts.
const ATTRIBUTE_BYTES: usize = 24;
/// A version's dictionary.
const VERSION_BYTES: usize = 128;
/// A share's dictionary beside the grantee.
const SHARE_BYTES: usize = 192;
/// What surrounds the rows of a page, where the next one begins included.
const PAGE_BYTES: usize = 320;

impl TokenInfo {
    /// Bytes of a reply that tells this.
    pub fn reply_bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(key, value)| ATTRIBUTE_BYTES + key.len() + value.len());
        let note = self.grant.as_ref().filter(|grant| !grant.note.is_empty());
        let note = note.map_or(0, |grant| NOTE_BYTES + grant.note.len());
        TOKEN_BYTES + self.name.len() + self.content_type.len() + attributes.sum::<usize>() + note
    }
}

impl VersionInfo {
    /// Bytes of a row that tells this. A token keeps so few versions that a list of all needs no pages.
    pub const fn reply_bytes(&self) -> usize {
        VERSION_BYTES
    }
}

impl ShareInfo {
    /// Bytes of a row that tells this. So few are kept that a list of all needs no pages.
    pub fn reply_bytes(&self) -> usize {
        SHARE_BYTES
            + self.grantee.to_string().len()
            + if self.note.is_empty() { 0 } else { NOTE_BYTES + self.note.len() }
    }
}

impl Page {
    /// Bytes of a reply that tells this.
    pub fn reply_bytes(&self) -> usize {
        PAGE_BYTES + self.tokens.iter().map(TokenInfo::reply_bytes).sum::<usize>()
    }
}
