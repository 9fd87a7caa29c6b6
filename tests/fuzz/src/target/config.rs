//! The configuration file.

use std::sync::OnceLock;

use tempfile::NamedTempFile;
use tokenvaultd::config::{Source, load};

/// A file, as an administrator may have written it.
pub fn run(data: &[u8]) {
    static FILE: OnceLock<NamedTempFile> = OnceLock::new();
    let file = FILE.get_or_init(|| NamedTempFile::new().expect("a file"));
    std::fs::write(file.path(), data).expect("it is written");
    if let Err(error) = load(&Source::File(file.path().to_owned())) {
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
}
