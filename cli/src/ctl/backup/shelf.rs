//! A directory of backups, made one after the other: their names, how many are kept, and who else is given them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use tokenvault_core::backup::Header;

use super::faults::{failure, unreadable};
use crate::failure::{Failure, UNDONE};

/// Where a command finds its programs, and the language it speaks: nothing else is in its environment.
const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];

const BEFORE: &str = "vault-";
const AFTER: &str = ".backup";

/// The name of a backup that is made now.
pub fn next(directory: &Path) -> PathBuf {
    directory.join(format!("{BEFORE}{}{AFTER}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ")))
}

fn is_ours(name: &OsStr) -> bool {
    let stamp = name.to_str().and_then(|name| name.strip_prefix(BEFORE)?.strip_suffix(AFTER));
    stamp.is_some_and(|stamp| {
        stamp.len() == 16 && stamp.bytes().all(|byte| byte.is_ascii_digit() || b"TZ".contains(&byte))
    })
}

/// Removes the oldest backups of the vault that `newest` is of, of those that were made here, and keeps so many; how many went. What is
/// no backup, or that of another vault, stays, and so does `newest`.
///
/// # Errors
/// When the directory cannot be read, or one of them not removed.
pub fn prune(directory: &Path, newest: &Path, keep: usize) -> Result<usize, Failure> {
    let header = |path: &Path| File::open(path).ok().and_then(|file| Header::of(file).ok());
    let vault = File::open(newest).map_err(|error| unreadable(newest, &error))?;
    let vault = Header::of(vault).map_err(|error| failure(newest, error))?.vault_id;
    let mut others = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| unreadable(directory, &error))? {
        let entry = entry.map_err(|error| unreadable(directory, &error))?;
        let path = entry.path();
        if is_ours(&entry.file_name()) && path != newest && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            others.extend(header(&path).filter(|header| header.vault_id == vault).map(|header| (header.made, path)));
        }
    }
    others.sort();
    let count = (others.len() + 1).saturating_sub(keep.max(1));
    for (_, path) in others.iter().take(count) {
        fs::remove_file(path).map_err(|error| {
            let next = "remove it by hand; the new backup is there";
            Failure::io(format_args!("cannot remove '{}'", path.display()), &error, next)
        })?;
    }
    Ok(count)
}

/// Runs a program with a backup on its standard input, where there is one.
///
/// # Errors
/// When it cannot be run, or fails.
pub fn hand_on(program: &Path, backup: &Path) -> Result<(), Failure> {
    let is_there = fs::metadata(program).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    if !is_there {
        return Ok(());
    }
    let input = File::open(backup).map_err(|error| unreadable(backup, &error))?;
    let mut child = Command::new(program);
    child.env_clear().envs(ENVIRONMENT).current_dir("/").stdin(Stdio::from(input));
    let shown = program.display();
    let status = child
        .status()
        .map_err(|error| Failure::io(format_args!("cannot run {shown}"), &error, "name one that can be run"))?;
    if status.success() {
        return Ok(());
    }
    let next = format!("the backup is there all the same: '{}'", backup.display());
    Err(Failure::with_status(UNDONE, format_args!("{shown} did not take the backup: {status}"), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_were_given_here_are_ours() {
        let directory = tempfile::tempdir().unwrap();
        assert!(is_ours(next(directory.path()).file_name().unwrap()));
        for name in
            ["vault.backup", "vault-.backup", "vault-20261122T120000Z.backup.old", "vault-yesterdays-one.backup"]
        {
            assert!(!is_ours(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_program_reads_the_backup_and_one_that_is_not_there_is_not_missed() {
        let directory = tempfile::tempdir().unwrap();
        let (backup, copy) = (directory.path().join("backup"), directory.path().join("copy"));
        fs::write(&backup, b"bytes").unwrap();
        let program = |text: &str, mode: u32| {
            let path = directory.path().join("hook");
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        assert!(hand_on(&directory.path().join("none"), &backup).is_ok());
        assert!(hand_on(&program("#!/bin/sh\nexit 1\n", 0o600), &backup).is_ok(), "it is switched off");
        let failed = hand_on(&program("#!/bin/sh\nexit 1\n", 0o700), &backup).unwrap_err();
        assert_eq!(failed.status(), UNDONE);
        hand_on(&program(&format!("#!/bin/sh\nexec cat >{}\n", copy.display()), 0o700), &backup).unwrap();
        assert_eq!(fs::read(copy).unwrap(), b"bytes");
    }
}
