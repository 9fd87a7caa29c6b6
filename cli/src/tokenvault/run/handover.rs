//! A value in the form a command takes it: text, or a file in memory.

use std::ffi::CStr;
use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;

use nix::fcntl::{FcntlArg, FdFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::failure::Failure;

const FILE_NAME: &CStr = c"tokenvault";

/// The value as the text of an environment variable.
///
/// # Errors
/// When an environment cannot hold it.
pub fn text<'a>(variable: &str, name: &str, value: &'a [u8]) -> Result<&'a str, Failure> {
    let refuse = |what: &str| {
        Failure::usage(
            format_args!("token '{name}' {what} and cannot be an environment variable"),
            format_args!("use --file {variable}={name}"),
        )
    };
    if value.contains(&0) {
        return Err(refuse("has NUL bytes"));
    }
    std::str::from_utf8(value).map_err(|_| refuse("is not UTF-8 text"))
}

/// A file in memory that holds the value, cannot be changed, and stays open when this process becomes the command.
///
/// # Errors
/// What the system says.
pub fn memory_file(value: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(FILE_NAME, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?);
    file.write_all(value)?;
    // Whoever reads it through another user's /proc has to be its owner.
    file.set_permissions(Permissions::from_mode(0o400))?;
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(file)
}

/// The path under which the command finds the file, each time from its beginning.
pub fn path(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_file_holds_the_value_and_cannot_be_changed() {
        let mut file = memory_file(b"value\0\xff").unwrap();
        assert_eq!(std::fs::read(path(&file)).unwrap(), b"value\0\xff");
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(1).is_err());
    }

    #[test]
    fn what_no_environment_can_hold_is_refused_without_showing_it() {
        for value in [&b"hunter2\0"[..], b"hunter2\xff"] {
            let line = text("KEY", "ci/key", value).unwrap_err().line().unwrap();
            assert!(line.ends_with("use --file KEY=ci/key"), "{line}");
            assert!(!line.contains("hunter2"));
        }
        assert_eq!(text("KEY", "ci/key", "é".as_bytes()).unwrap_or_else(|_| panic!()), "é");
    }
}
