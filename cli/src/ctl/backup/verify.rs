//! `backup verify`: whether a backup is whole, without restoring it.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;
use tokenvault_core::backup::{BackupError, BackupReader, Header, RowTaker, Summary, outline};
use tokenvault_core::hex;
use tokenvault_core::port::{Cancelled, Cell, Progress as Watch};

use super::faults::{STANDARD, failure, unreadable};
use super::key::{LockedMemory, private};
use crate::common::Context;
use crate::failure::Failure;
use crate::input::Source;
use crate::output::{Progress, bytes, moment};
use crate::recovery;

/// Verify that a backup is whole
///
/// Without the recovery key it is seen whether something is cut off or was added; with it, that nothing was changed, that this key opens
/// it, and that the vault in which this key was confirmed has written it. Where it was made before that, nobody vouches for it, which is
/// said. Nothing is restored, and the daemon is not asked. Exit status 1: it is not whole, or of another vault.
#[derive(clap::Args)]
pub struct Args {
    /// The backup; '-' is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Read the recovery key from a file
    #[arg(long, value_name = "FILE")]
    recovery_file: Option<PathBuf>,

    /// Ask for the recovery key
    #[arg(long, conflicts_with = "recovery_file")]
    recovery: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Verified {
    ok: bool,
    /// Whether more than the structure was verified.
    contents: bool,
    vault_id: String,
    made: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    /// Whether it is the word of the vault in which this key was confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    vouched: Option<bool>,
}

/// Verifies, and says how that went.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let key = match (&args.recovery_file, args.recovery) {
        (None, false) => None,
        (file, _) => Some(recovery::read_key(file.as_deref().map(Source::from_path).as_ref())?),
    };
    let stream = BufReader::with_capacity(1 << 17, open(&args.file)?);
    let progress = Mutex::new(context.output.progress());
    let told = Told(&progress);
    let verified = match &key {
        None => outline(stream, &told).map(|outline| Verified { bytes: outline.bytes, ..of(&outline.header) }),
        Some(key) => {
            let private = private(key)?;
            read(stream, &private, &told)
        }
    };
    drop(progress);
    let verified = verified.map_err(|error| {
        let told = failure(&args.file, error);
        // One that is not whole is an answer too; what cannot be read is none.
        let is_answer = context.output.wants_json() && told.status() == crate::failure::UNDONE;
        let answered = if is_answer { context.output.json(&NotWhole { ok: false }) } else { Ok(()) };
        answered.err().unwrap_or(told)
    })?;
    if context.output.wants_json() {
        return context.output.json(&verified);
    }
    if verified.vouched == Some(false) {
        context.output.warn(UNVOUCHED);
    }
    let (made, size) = (moment(verified.made), bytes(verified.bytes));
    context.output.line(&match verified.rows {
        Some(rows) => format!("it is whole: {rows} rows, {size}, of {made}; this recovery key opens it"),
        None => format!(
            "nothing is cut off or added: {size}, of {made}; whether anything was changed is seen with --recovery-file"
        ),
    })
}

/// What it means that nobody vouches.
const UNVOUCHED: &str = "nobody vouches for it: its vault had not been shown this recovery key yet, and whoever knows the public half of \
    it could have made it; 'backup restore' takes it only with --unvouched";

#[derive(Serialize)]
struct NotWhole {
    ok: bool,
}

fn of(header: &Header) -> Verified {
    Verified {
        ok: true,
        contents: false,
        vault_id: hex::encode(&header.vault_id),
        made: header.made,
        bytes: 0,
        rows: None,
        tokens: None,
        vouched: None,
    }
}

fn read(stream: impl Read, private: &tokenvault_core::Secret, told: &Told<'_>) -> Result<Verified, BackupError> {
    let reader = BackupReader::open(stream, private, &LockedMemory)?;
    let header = reader.header().clone();
    let (Summary { rows, bytes, counts }, opened) =
        reader.read(&mut Passing { told, rows: 0 }, private, &LockedMemory)?;
    let tokens = counts.into_iter().find(|(table, _)| table == "token").map(|(_, count)| count);
    let vouched = Some(opened.is_vouched);
    Ok(Verified { contents: true, bytes, rows: Some(rows), tokens, vouched, ..of(&header) })
}

/// A file, or standard input.
pub fn open(path: &Path) -> Result<File, Failure> {
    let file = if path.as_os_str() == STANDARD {
        // A descriptor of its own: the library's standard input keeps what passes through its buffer.
        io::stdin().as_fd().try_clone_to_owned().map(File::from)
    } else {
        File::open(path)
    };
    file.map_err(|error| unreadable(path, &error))
}

/// Rows that are looked at and let go.
struct Passing<'a> {
    told: &'a Told<'a>,
    rows: u64,
}

impl RowTaker for Passing<'_> {
    type Error = BackupError;

    fn table(&mut self, _name: &str, _columns: &[&str]) -> Result<(), BackupError> {
        Ok(())
    }

    fn row(&mut self, _cells: &[Cell<'_>], _chunk: u64) -> Result<(), BackupError> {
        self.rows += 1;
        if self.rows.is_multiple_of(1024) {
            self.told.say(&format!("{} rows verified", self.rows));
        }
        Ok(())
    }
}

/// Says how far it is.
struct Told<'a>(&'a Mutex<Progress>);

impl Told<'_> {
    fn say(&self, line: &str) {
        if let Ok(mut progress) = self.0.lock() {
            progress.show(line);
        }
    }
}

impl Watch for Told<'_> {
    fn report(&self, done: u64, _total: u64) -> Result<(), Cancelled> {
        self.say(&format!("{} verified", bytes(done)));
        Ok(())
    }
}
