//! A recovery key in a file, and at a prompt.

use std::path::Path;

use super::new_file::NewFile;
use super::pair::{CODE_BYTES, RecoveryKey};
use crate::failure::Failure;
use crate::input::{Echo, Source, Terminal, read_text};

/// Room for a key typed with a space after every letter.
const TYPED_BYTES_MAX: usize = 4 * CODE_BYTES;

/// Writes the key to a new file that only its owner reads, and returns when the disk has it.
///
/// # Errors
/// When the file exists already, or cannot be written; then nothing is left behind.
pub fn write_new(path: &Path, key: &RecoveryKey) -> Result<(), Failure> {
    NewFile::create(path)?.write(key.code().expose())
}

/// Reads the key from a file, or asks for it until it agrees with its check characters.
///
/// # Errors
/// When it cannot be read or, from a file, is mistyped.
pub fn read_key(source: Option<&Source>) -> Result<RecoveryKey, Failure> {
    if let Some(source) = source {
        let text = read_text(source)?;
        return RecoveryKey::from_code(text.expose())
            .map_err(|error| Failure::usage(error, "compare it with what was written down"));
    }
    let terminal = Terminal::open("name the file with the key")?;
    loop {
        let typed = terminal.ask("Recovery key", Echo::Hidden, TYPED_BYTES_MAX)?;
        match RecoveryKey::from_code(typed.expose()) {
            Ok(key) => return Ok(key),
            Err(error) => terminal.show(&format!("Not yet: {error}.\n"))?,
        }
    }
}

/// Shows a new key and waits until it was typed back.
///
/// # Errors
/// When the user gives up, or there is no terminal.
pub fn show_and_ask_back(terminal: &Terminal, key: &RecoveryKey) -> Result<(), Failure> {
    terminal.show(
        "\nThis is the recovery key. It opens the vault when the TPM does not, and is shown only now.\n\
         Write it down and keep it away from this machine.\n\n    ",
    )?;
    let code = key.code();
    terminal.show(&String::from_utf8_lossy(code.expose()))?;
    terminal.show("\n\nType it back from what you wrote; case, spaces and dashes do not matter.\n")?;
    loop {
        let typed = terminal.ask("Recovery key", Echo::Shown, TYPED_BYTES_MAX)?;
        match RecoveryKey::from_code(typed.expose()) {
            Ok(typed) if typed.public() == key.public() => return Ok(()),
            Ok(_) => terminal.show("Not yet: this is another recovery key.\n")?,
            Err(error) => terminal.show(&format!("Not yet: {error}.\n"))?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_written_key_is_read_back_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let key = RecoveryKey::generate().unwrap();
        write_new(&path, &key).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let read = read_key(Some(&Source::File(path))).unwrap_or_else(|_| panic!());
        assert_eq!(read.public(), key.public());
    }

    #[test]
    fn a_file_that_exists_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "the only copy").unwrap();
        let failure = write_new(&path, &RecoveryKey::generate().unwrap()).unwrap_err();
        assert_eq!(failure.status(), 5);
        assert_eq!(std::fs::read(&path).unwrap(), b"the only copy");
    }

    #[test]
    fn a_mistyped_file_names_the_group() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let key = RecoveryKey::generate().unwrap();
        let mut text = key.code().expose().to_vec();
        text[0] = if text[0] == b'c' { b'b' } else { b'c' };
        std::fs::write(&path, text).unwrap();
        let failure = read_key(Some(&Source::File(path))).err().unwrap();
        assert!(failure.line().unwrap().starts_with("group 1 is mistyped; "));
    }
}
