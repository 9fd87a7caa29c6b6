//! The recovery key: made here, shown to its owner once, and never known to the daemon before it is needed.

mod confirm;
mod file;
mod new_file;
mod pair;

pub use confirm::{KIND, Keeping, add_slot, confirm_slot};
pub use file::read_key;
pub use new_file::NewFile;
pub use pair::RecoveryKey;
