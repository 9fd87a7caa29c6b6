//! Paths that mean the same wherever a command is run.

use std::path::PathBuf;

use super::Malformed;

/// A path from the root on.
pub fn whole_path(text: &str) -> Result<PathBuf, Malformed> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Malformed {
        what: "is not a whole path".into(),
        accepted: "write it from the root on, such as /etc/tokenvault/backup".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_at_the_root() {
        assert_eq!(whole_path("/etc/tokenvault/backup").unwrap(), PathBuf::from("/etc/tokenvault/backup"));
        for text in ["backup", "./backup", "../backup", ""] {
            assert!(whole_path(text).is_err(), "{text}");
        }
    }
}
