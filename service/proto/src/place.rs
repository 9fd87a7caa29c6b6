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
