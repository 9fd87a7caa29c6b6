//! Where the daemon's program is.

use std::path::{Path, PathBuf};

use tokenvault_proto::{ErrorCode, LIBEXEC_DIR};

use crate::failure::Failure;

const PROGRAM: &str = "tokenvaultd";

/// The installed daemon, else the one built beside this command.
///
/// # Errors
/// When there is neither.
pub fn find() -> Result<PathBuf, Failure> {
    let beside = std::env::current_exe().ok().map(|path| path.with_file_name(PROGRAM));
    let installed = Path::new(LIBEXEC_DIR).join(PROGRAM);
    [Some(installed.clone()), beside].into_iter().flatten().find(|path| Path::is_file(path)).ok_or_else(|| {
        Failure::new(
            ErrorCode::Unavailable,
            format_args!("the daemon's program is not at {}", installed.display()),
            "name it with --daemon PATH",
        )
    })
}
