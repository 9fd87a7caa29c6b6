//! Where an installed vault keeps its parts. `packaging/install` builds for another prefix by setting the variables.

/// The programs that nobody starts by hand.
pub const LIBEXEC_DIR: &str = match option_env!("TOKENVAULT_LIBEXECDIR") {
    Some(directory) => directory,
    None => "/usr/libexec/tokenvault",
};

/// The documented defaults of the daemon.
pub const DEFAULTS_FILE: &str = match option_env!("TOKENVAULT_DEFAULTS_FILE") {
    Some(file) => file,
    None => "/usr/lib/tokenvault/tokenvault.conf",
};

/// Where root leaves a note of each user who was deleted while the vault could not be told.
pub const DELETED_DIR: &str = "/var/lib/tokenvault-deleted";

/// Whether a file of that directory with this name is a note: a UUID, as the kernel writes it, or a part of one.
pub fn is_note_id(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}
