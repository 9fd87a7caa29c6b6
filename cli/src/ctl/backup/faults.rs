//! What is wrong with a backup, as the end of a command.

use std::path::Path;

use tokenvault_core::backup::BackupError;
use tokenvault_proto::ErrorCode;

use crate::failure::{Failure, UNDONE};

/// Standard input or output.
pub const STANDARD: &str = "-";

/// A file by its name, or standard input.
pub fn named(path: &Path) -> String {
    if path.as_os_str() == STANDARD { "standard input".to_owned() } else { format!("'{}'", path.display()) }
}

/// The failure that says what is wrong with the backup at `path`.
pub fn failure(path: &Path, error: BackupError) -> Failure {
    if let BackupError::Io { cause, .. } = error {
        return unreadable(path, &cause);
    }
    let text = format!("{}: {error}", named(path));
    let (cause, next) = text.rsplit_once("; ").unwrap_or((&text, "use another backup"));
    match error {
        BackupError::NotABackup => Failure::usage(cause, next),
        BackupError::OtherKey => Failure::new(ErrorCode::AccessDenied, cause, next),
        _ => Failure::with_status(UNDONE, cause, next),
    }
}

/// It could not be read.
pub fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io(format_args!("cannot read {}", named(path)), error, "check that it is a file that can be read")
}
