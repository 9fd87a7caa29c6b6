//! Secrets from standard input, files and descriptors, read into one buffer that ends where the limit is.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, RawFd};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::secret::SecretBytes;
use crate::sys;

/// Most bytes of a value.
const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most bytes of nearly every value: room for more is taken only where there is more.
const SHORT_BYTES_MAX: usize = 65_536;
/// Most bytes of a passphrase.
pub const PASSPHRASE_BYTES_MAX: usize = 1_024;
/// Most bytes of a file with a recovery key.
const TEXT_BYTES_MAX: usize = 4_096;

/// Somewhere to read a secret from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file; `-` is standard input.
    File(PathBuf),
    /// A descriptor that the caller of the program opened.
    Descriptor(RawFd),
}

impl Source {
    /// From a path of the command line.
    pub fn from_path(path: &Path) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path.to_owned()) }
    }

    fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".to_owned(),
            Self::File(path) => format!("'{}'", path.display()),
            Self::Descriptor(number) => format!("descriptor {number}"),
        }
    }

    fn open(&self) -> io::Result<File> {
        match self {
            // A descriptor of its own, because the library's standard input keeps what passes through its buffer.
            Self::Stdin => io::stdin().as_fd().try_clone_to_owned().map(File::from),
            Self::File(path) => File::open(path),
            Self::Descriptor(number) => sys::duplicate(*number),
        }
    }

    /// Reads everything, or `limit` bytes and one more.
    fn read(&self, limit: usize) -> Result<SecretBytes, Failure> {
        self.read_to(limit).map_err(|error| {
            Failure::io(format_args!("cannot read {}", self.name()), &error, "check that it can be read")
        })
    }

    fn read_to(&self, limit: usize) -> io::Result<SecretBytes> {
        let mut file = self.open()?;
        let mut secret = SecretBytes::with_capacity(limit.min(SHORT_BYTES_MAX) + 1);
        secret.fill(&mut file)?;
        if limit > SHORT_BYTES_MAX && secret.expose().len() > SHORT_BYTES_MAX {
            let beginning = std::mem::replace(&mut secret, SecretBytes::with_capacity(limit + 1));
            secret.extend(beginning.expose()).map_err(|_| io::Error::from(io::ErrorKind::StorageFull))?;
            secret.fill(&mut file)?;
        }
        Ok(secret)
    }
}

/// A value, byte for byte.
///
/// # Errors
/// When it cannot be read, is empty, or is longer than a value may be; no more than that is ever read.
pub fn read_value(source: &Source) -> Result<SecretBytes, Failure> {
    let value = source.read(VALUE_BYTES_MAX)?;
    if value.expose().len() > VALUE_BYTES_MAX {
        return Err(Failure::usage(
            format_args!("the value from {} is longer than {VALUE_BYTES_MAX} bytes", source.name()),
            "store a key in the vault and the data, encrypted with it, elsewhere",
        ));
    }
    check_value(&value)?;
    Ok(value)
}

/// Refuses the empty value, which is most often a command that failed on the other side of a pipe.
pub fn check_value(value: &SecretBytes) -> Result<(), Failure> {
    if value.is_empty() {
        return Err(Failure::usage("the value is empty", "check the command or file it comes from"));
    }
    Ok(())
}

/// A passphrase: one line, without its line end.
///
/// # Errors
/// When it cannot be read, is empty, or is too long.
pub fn read_passphrase(source: &Source) -> Result<SecretBytes, Failure> {
    let mut passphrase = source.read(PASSPHRASE_BYTES_MAX)?;
    if passphrase.expose().len() > PASSPHRASE_BYTES_MAX {
        return Err(Failure::usage(
            format_args!("the passphrase from {} is longer than {PASSPHRASE_BYTES_MAX} bytes", source.name()),
            "choose a shorter one",
        ));
    }
    passphrase.strip_newline();
    check_passphrase(&passphrase)?;
    Ok(passphrase)
}

/// Refuses the empty passphrase.
pub fn check_passphrase(passphrase: &SecretBytes) -> Result<(), Failure> {
    if passphrase.is_empty() {
        return Err(Failure::usage("the passphrase is empty", "choose one of several words"));
    }
    Ok(())
}

/// A short text such as a recovery key.
///
/// # Errors
/// When it cannot be read or is far too long.
pub fn read_text(source: &Source) -> Result<SecretBytes, Failure> {
    let text = source.read(TEXT_BYTES_MAX)?;
    if text.expose().len() > TEXT_BYTES_MAX {
        return Err(Failure::usage(
            format_args!("{} is too long for a recovery key", source.name()),
            "name the file that 'init --recovery-out' has written",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempPath, Source) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let path = file.into_temp_path();
        let source = Source::from_path(&path);
        (path, source)
    }

    #[test]
    fn a_value_is_kept_byte_for_byte() {
        let (_path, source) = file(b"line\r\n\0\xff\n");
        assert_eq!(read_value(&source).unwrap_or_else(|_| panic!()).expose(), b"line\r\n\0\xff\n");
    }

    #[test]
    fn a_value_of_the_largest_size_is_taken_and_one_byte_more_is_not() {
        let (_path, source) = file(&vec![1; VALUE_BYTES_MAX]);
        assert!(read_value(&source).is_ok());
        let (_path, source) = file(&vec![1; VALUE_BYTES_MAX + 1]);
        assert_eq!(read_value(&source).err().unwrap().status(), 2);
    }

    #[test]
    fn endless_input_is_refused_after_the_limit() {
        let failure = read_value(&Source::File("/dev/zero".into())).err().unwrap();
        assert!(failure.line().unwrap().contains("longer than 16777216 bytes"));
    }

    #[test]
    fn an_empty_value_is_refused() {
        let failure = read_value(&Source::File("/dev/null".into())).err().unwrap();
        assert!(failure.line().unwrap().starts_with("the value is empty; "));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let failure = read_value(&Source::File("/nowhere/x".into())).err().unwrap();
        assert!(failure.line().unwrap().starts_with("cannot read '/nowhere/x': No such file or directory; "));
    }

    #[test]
    fn a_passphrase_ends_before_its_line_end() {
        let (_path, source) = file(b"correct horse\n");
        assert_eq!(read_passphrase(&source).unwrap_or_else(|_| panic!()).expose(), b"correct horse");
        let (_path, source) = file(b"\n");
        assert!(read_passphrase(&source).is_err());
    }
}
