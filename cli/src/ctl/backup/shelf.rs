//! A directory of backups, made one after the other: their names, how many are kept, and who else is given them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
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

/// Whether it is what a process has left of a backup here that it did not finish, and that has ended.
fn is_left_over(name: &OsStr) -> bool {
    let hidden = name.to_str().and_then(|name| name.strip_prefix('.')?.rsplit_once('.'));
    hidden.is_some_and(|(name, process)| {
        is_ours(OsStr::new(name))
            && process.parse::<u32>().is_ok_and(|process| !Path::new("/proc").join(process.to_string()).exists())
    })
}

/// What became of the backups in a directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many were removed.
    pub removed: usize,
    /// How many say that they were made later than the newest, by a clock that was ahead: none is removed then.
    pub later: usize,
}

/// Removes the oldest backups of the vault that `newest` is of, of those that were made here, and keeps so many. What is no backup, or
/// that of another vault, stays, and so does `newest`. What was not finished goes.
///
/// # Errors
/// When the directory cannot be read, or one of them not removed.
pub fn prune(directory: &Path, newest: &Path, keep: usize) -> Result<Pruned, Failure> {
    let header = |path: &Path| File::open(path).ok().and_then(|file| Header::of(file).ok());
    let newest_file = File::open(newest).map_err(|error| unreadable(newest, &error))?;
    let Header { vault_id: vault, made, .. } = Header::of(newest_file).map_err(|error| failure(newest, error))?;
    let mut others = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| unreadable(directory, &error))? {
        let entry = entry.map_err(|error| unreadable(directory, &error))?;
        let path = entry.path();
        if is_left_over(&entry.file_name()) {
            remove(&path)?;
        }
        if is_ours(&entry.file_name()) && path != newest && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            others.extend(header(&path).filter(|header| header.vault_id == vault).map(|header| (header.made, path)));
        }
    }
    let later = others.iter().filter(|(other, _)| *other > made).count();
    if later > 0 {
        return Ok(Pruned { removed: 0, later });
    }
    others.sort();
    let removed = (others.len() + 1).saturating_sub(keep.max(1));
    others.iter().take(removed).try_for_each(|(_, path)| remove(path))?;
    Ok(Pruned { removed, later })
}

fn remove(path: &Path) -> Result<(), Failure> {
    fs::remove_file(path).map_err(|error| {
        let next = "remove it by hand; the new backup is there";
        Failure::io(format_args!("cannot remove '{}'", path.display()), &error, next)
    })
}

/// Runs a program with a backup on its standard input, where there is one; whether it was run. What it writes goes to standard error.
///
/// # Errors
/// When it cannot be run, or fails.
pub fn hand_on(program: &Path, backup: &Path) -> Result<bool, Failure> {
    let is_there = fs::metadata(program).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    if !is_there {
        return Ok(false);
    }
    let input = File::open(backup).map_err(|error| unreadable(backup, &error))?;
    let mut child = Command::new(program);
    child.env_clear().envs(ENVIRONMENT).current_dir("/").stdin(Stdio::from(input));
    let output = io::stderr().as_fd().try_clone_to_owned();
    child.stdout(output.map_or_else(|_| Stdio::null(), Stdio::from));
    let shown = program.display();
    let status = child
        .status()
        .map_err(|error| Failure::io(format_args!("cannot run {shown}"), &error, "name one that can be run"))?;
    if status.success() {
        return Ok(true);
    }
    let next = format!("the backup is there all the same: '{}'", backup.display());
    Err(Failure::with_status(UNDONE, format_args!("{shown} did not take the backup: {status}"), next))
}

#[cfg(test)]
mod tests {
    use tokenvault_core::Secret;
    use tokenvault_core::backup::{BackupKeys, BackupWriter};
    use tokenvault_core::port::{Cancelled, HeapMemory, Progress};

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

    struct Unwatched;

    impl Progress for Unwatched {
        fn report(&self, _done: u64, _total: u64) -> Result<(), Cancelled> {
            Ok(())
        }
    }

    /// A file that begins as a backup of one vault does.
    fn made(path: &Path, made: u64) {
        let vouching = Secret::copy_from(&HeapMemory, &[1; 32]).unwrap();
        let keys = BackupKeys { recipients: &[], vouching, memory: &HeapMemory };
        let header = Header::new([7; 16], [1; 16], 1, tokenvault_core::Timestamp::from_usec(made));
        let mut out = Vec::new();
        BackupWriter::begin(&mut out, header, keys, (&Unwatched, 0)).unwrap().finish().unwrap();
        fs::write(path, out).unwrap();
    }

    #[test]
    fn what_was_not_finished_goes_and_nothing_goes_for_the_sake_of_a_clock_that_was_ahead() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let own = std::process::id();
        let unfinished = at(&format!(".vault-20260101T000000Z.backup.{own}"));
        let left_over = at(".vault-20260101T000000Z.backup.4194305");
        let strange = at(".vault-20260101T000000Z.backup.old");
        for path in [&unfinished, &left_over, &strange] {
            fs::write(path, b"half").unwrap();
        }
        for (name, time) in [("vault-20260101T000000Z.backup", 1), ("vault-20260102T000000Z.backup", 2)] {
            made(&at(name), time);
        }
        let newest = at("vault-20260103T000000Z.backup");
        made(&newest, 3);
        made(&at("vault-20990101T000000Z.backup"), 99);
        assert_eq!(prune(directory.path(), &newest, 1).unwrap(), Pruned { removed: 0, later: 1 });
        assert_eq!((left_over.exists(), unfinished.exists(), strange.exists()), (false, true, true));
        fs::remove_file(at("vault-20990101T000000Z.backup")).unwrap();
        assert_eq!(prune(directory.path(), &newest, 2).unwrap(), Pruned { removed: 1, later: 0 });
        assert!(!at("vault-20260101T000000Z.backup").exists() && at("vault-20260102T000000Z.backup").exists());
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
        assert!(!hand_on(&directory.path().join("none"), &backup).unwrap());
        assert!(!hand_on(&program("#!/bin/sh\nexit 1\n", 0o600), &backup).unwrap(), "it is switched off");
        let failed = hand_on(&program("#!/bin/sh\nexit 1\n", 0o700), &backup).unwrap_err();
        assert_eq!(failed.status(), UNDONE);
        assert!(hand_on(&program(&format!("#!/bin/sh\nexec cat >{}\n", copy.display()), 0o700), &backup).unwrap());
        assert_eq!(fs::read(copy).unwrap(), b"bytes");
    }
}
