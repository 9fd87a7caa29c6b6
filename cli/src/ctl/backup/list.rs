//! `backup list`: what backups say of themselves, without a key.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokenvault_core::backup::{BackupError, Header};
use tokenvault_core::hex;

use super::faults::{failure, unreadable};
use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Align, Table, bytes, escape, minute};

/// List backups: when they were made, of which vault, how large they are
///
/// Reads their headers alone, which nobody vouches for: 'backup verify' says whether they are whole.
#[derive(clap::Args)]
pub struct Args {
    /// Backups, and directories with backups
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Backup {
    file: String,
    made: u64,
    bytes: u64,
    vault_id: String,
    instance_id: String,
    schema: u32,
    recovery_keys: Vec<String>,
}

#[derive(Serialize)]
struct Backups {
    backups: Vec<Backup>,
}

/// Prints the list, the oldest first.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let mut backups = Vec::new();
    for path in &args.paths {
        if path.is_dir() {
            add_directory(context, path, &mut backups)?;
        } else {
            backups.push(look(path).map_err(|error| failure(path, error))?);
        }
    }
    backups.sort_by(|one, other| (one.made, &one.file).cmp(&(other.made, &other.file)));
    if context.output.wants_json() {
        return context.output.json(&Backups { backups });
    }
    let count = backups.len();
    context
        .output
        .table(&table(&backups), &format!("{count} {} listed.", if count == 1 { "backup" } else { "backups" }))
}

/// Adds what is a backup in a directory; of one that is damaged it is said.
fn add_directory(context: &Context, path: &Path, backups: &mut Vec<Backup>) -> Result<(), Failure> {
    for entry in fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
        let entry = entry.map_err(|error| unreadable(path, &error))?;
        // Nothing that could keep us waiting is opened.
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        match look(&entry.path()) {
            Ok(backup) => backups.push(backup),
            Err(BackupError::NotABackup) => {}
            Err(error) => {
                if let Some(line) = failure(&entry.path(), error).line() {
                    context.output.warn(&line);
                }
            }
        }
    }
    Ok(())
}

fn look(path: &Path) -> Result<Backup, BackupError> {
    let failed = |cause| BackupError::Io { what: "read", cause };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let header = Header::of(file)?;
    Ok(Backup {
        file: path.display().to_string(),
        made: header.made,
        bytes: size,
        vault_id: hex::encode(&header.vault_id),
        instance_id: hex::encode(&header.instance_id),
        schema: header.schema,
        recovery_keys: header.recipients.iter().map(|recipient| hex::encode(&recipient.public)).collect(),
    })
}

fn table(backups: &[Backup]) -> Table {
    let mut table =
        Table::new(&[("MADE", Align::Left), ("SIZE", Align::Right), ("VAULT", Align::Left), ("FILE", Align::Left)]);
    for backup in backups {
        table.row([minute(backup.made), bytes(backup.bytes), backup.vault_id.clone(), escape(&backup.file)]);
    }
    table
}
