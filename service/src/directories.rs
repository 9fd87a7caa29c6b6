//! The daemon's two directories: made where they are missing, never changed where they are there.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::config::Config;

/// Makes the state directory, for the daemon alone, and the runtime directory, whose socket is for everyone. Installed,
/// both were made by the package; parents are never made.
///
/// # Errors
/// One line with the directory and the cause.
pub fn prepare(config: &Config) -> Result<(), String> {
    make(&config.state_dir, 0o700)?;
    make(&config.runtime_dir, 0o755)
}

fn make(dir: &Path, mode: u32) -> Result<(), String> {
    match DirBuilder::new().mode(mode).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(format!("{} cannot be made: {error}; make it, owned by the user tokenvaultd runs as", dir.display()))
        }
        _ => Ok(()),
    }
}
