//! Rotation: drawing keys anew that are in use. Reads and writes go on, and what ends in between is gone on with.

mod keyring;
mod keyring_walk;
mod slot;
mod user;
mod vault_key;
mod walk;

pub use self::keyring::KeyringRotation;
pub(super) use self::keyring::Renewing;
pub use self::keyring_walk::KeyringRenewed;
pub(super) use self::user::Rotating;
pub use self::walk::UserRotation;

/// The method of the interface, as the audit log tells of it.
const OPERATION: &str = "Rotate";
/// The end of one that takes long.
const ENDED: &str = "EndRotation";
