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
    /// The uid it had, where that is known and nobody else has it.
    pub uid: Option<u32>,
    /// When it was left.
    pub time: Timestamp,
}

/// Where such notes are left, and who is told what came of them. Nothing here removes one.
pub trait DeletionNotes: Send + Sync {
    /// All that can be read, and in one line what is wrong where not all can or somebody else may have removed some. Blocks.
    fn read(&self) -> (Vec<DeletionNote>, Option<String>);

    /// The tokens of a uid are nobody's from now on; `written` says whether that is so after a restart as well.
    fn tell_frozen(&self, uid: u32, written: &Result<(), Error>);

    /// All notes were heeded, and that was written down; or why not. Told whenever they were looked at.
    fn tell_heeded(&self, heeded: &Result<(), Error>);
}
