//! Who was deleted from the machine while the vault could not be told.

use crate::Timestamp;
use crate::error::Error;

/// A note about a user who was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletionNote {
    /// Names the note; no other one ever has it.
    pub id: String,
    /// Name of the user.
    pub user: String,
    /// When it was left.
    pub time: Timestamp,
}

/// Where such notes are left, and who is told what came of them. Nothing here removes one.
pub trait DeletionNotes: Send + Sync {
    /// All of them. Blocks.
    ///
    /// # Errors
    /// Why they cannot be read, in one line.
    fn read(&self) -> Result<Vec<DeletionNote>, String>;

    /// The tokens of a uid are nobody's from now on; `written` says whether that is so after a restart as well.
    fn tell_frozen(&self, uid: u32, written: &Result<(), Error>);

    /// The notes could not be heeded, or that they were could not be written down.
    fn tell_failed(&self, error: &Error);
}
