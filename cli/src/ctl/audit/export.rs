//! `audit export`: the log as JSON lines, for programs and archives.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tokenvault_proto::Plain;

use super::filter::{Filter, fetch};
use crate::common::Context;
use crate::failure::Failure;
use crate::output::document;

/// Write records of the audit log as JSON lines, the oldest first
///
/// Each line is one record, with the keys of 'audit list --json' and the schema. Who has no part in the vault should not read
/// them: a new file is for its owner alone.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    filter: Filter,

    /// Write to a new file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the lines.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let client = context.client()?;
    let mut sink = Sink::open(context, args.out.as_deref())?;
    let mut count = 0_u64;
    fetch(&client, args.filter.options(), |record| {
        let line = document(&Plain(&record), false)
            .map_err(|error| Failure::io("cannot write a record as JSON", &error, "try again"))?;
        count += 1;
        sink.write(&line).map(|()| true)
    })?;
    sink.close()?;
    context.output.note(&format!("{count} {} exported", if count == 1 { "record" } else { "records" }));
    Ok(())
}

/// Where the lines go.
enum Sink<'a> {
    Output(&'a Context, Vec<u8>),
    File(BufWriter<File>, &'a Path),
}

/// Bytes that are written to standard output at a time.
const CHUNK: usize = 64 * 1024;

impl<'a> Sink<'a> {
    fn open(context: &'a Context, path: Option<&'a Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::Output(context, Vec::new())) };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let failed = |error| failed(path, &error);
        Ok(Self::File(BufWriter::new(file.map_err(failed)?), path))
    }

    fn write(&mut self, line: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Output(context, waiting) => {
                waiting.extend_from_slice(line);
                if waiting.len() < CHUNK { Ok(()) } else { context.output.write(&std::mem::take(waiting)) }
            }
            Self::File(file, path) => file.write_all(line).map_err(|error| failed(path, &error)),
        }
    }

    /// What is not on disk is not exported.
    fn close(self) -> Result<(), Failure> {
        match self {
            Self::Output(context, waiting) => context.output.write(&waiting),
            Self::File(file, path) => file
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)
                .and_then(|file| file.sync_all())
                .map_err(|error| failed(path, &error)),
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io(format_args!("cannot write {}", path.display()), error, "name a new file, with room for it")
}
