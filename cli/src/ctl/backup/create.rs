//! `backup create`: a backup is made.

use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokenvault_client::Client;
use tokenvault_proto::{ErrorCode, Findings};

use super::faults::STANDARD;
use super::file::Target;
use super::shelf::{self, Pruned};
use crate::common::Context;
use crate::ctl::operation;
use crate::failure::Failure;
use crate::output::bytes;
use crate::parse;

/// Bytes that are written at a time.
const STEP: usize = 64 * 1024;
/// How often it is said how far it is.
const TELL: Duration = Duration::from_millis(200);

/// Make a backup of the whole vault, encrypted to its recovery keys
///
/// Reads and writes go on meanwhile; whoever takes less than a mebibyte a minute of it is left behind. The file appears under its name
/// when all of it is on the disk, and takes the place of one that is there; it is for its owner alone. Try now and then with 'backup
/// verify --recovery-file' whether the recovery key opens it. tokenvault-backup.timer makes one every day in /var/lib/tokenvault-backup,
/// keeps fourteen, and runs /etc/tokenvault/backup with each, where that is an executable file: to take it away from the machine. It runs
/// in the root directory, with PATH and LANG alone in its environment, and from the service without home directories, that of root
/// included: what ssh needs lies in /etc, as in 'exec ssh -i /etc/tokenvault/backup-key -o
/// UserKnownHostsFile=/etc/tokenvault/backup-hosts store "cat >vault.backup"', in a file that 'install -m 700' puts there. It is off until
/// 'systemctl enable --now tokenvault-backup.timer'; 'systemctl status tokenvault-backup' says how the last one went, and 'systemctl edit
/// tokenvault-backup' is where another number is kept.
#[derive(clap::Args)]
pub struct Args {
    /// File to write, which may be there but is no device; '-' is standard output
    #[arg(value_name = "FILE", default_value = STANDARD, conflicts_with = "into")]
    file: PathBuf,

    /// Write a new file in this directory, named by the time
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,

    /// Keep so many backups of this vault that were made with --into there, and remove the older ones
    #[arg(long, value_name = "N", value_parser = parse::kept_backups, allow_hyphen_values = true, requires = "into")]
    keep: Option<u32>,

    /// Run this program, named by its whole path, with the backup on its standard input, where there is an executable file of that name
    #[arg(long, value_name = "PROGRAM", value_parser = parse::whole_path, requires = "into")]
    hook: Option<PathBuf>,
}

#[derive(Serialize)]
struct Created<'a> {
    file: String,
    #[serde(flatten)]
    findings: &'a Findings,
}

/// Makes it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let client = context.client()?;
    let file = args.into.as_deref().map_or_else(|| args.file.clone(), shelf::next);
    let mut target = Target::open(context, &file)?;
    let (mut stream, out) = io::pipe().map_err(|error| Failure::io("cannot make a pipe", &error, "try again"))?;
    let id = client.backup(out.as_fd())?;
    // The daemon has one of its own: the stream ends with that.
    drop(out);
    let received = receive(context, &mut stream, &mut target);
    // Whoever cannot take more wants no more.
    drop(stream);
    let received = received.inspect_err(|_| give_up(&client, id))?;
    let ended = operation::wait(context, &client, id, "rows")?;
    ended.failure.map_or(Ok(()), Err)?;
    let number = |key| ended.findings.number(key).unwrap_or_default();
    if number("bytes") != received {
        return Err(Failure::new(ErrorCode::Failed, "not all of the backup came through", "make it again"));
    }
    target.finish()?;
    // Before anything is tidied up that may go wrong: it takes the backup away from the machine. Where it fails, backups do not fill the
    // disk all the same.
    let handed_on = args.hook.as_deref().map(|hook| (hook, shelf::hand_on(hook, &file)));
    if let Some((hook, Ok(false))) = &handed_on {
        context.output.note(&format!("'{}' is no executable file: it was not run", hook.display()));
    }
    if let (Some(directory), Some(keep)) = (&args.into, args.keep) {
        let pruned = shelf::prune(directory, &file, usize::try_from(keep).unwrap_or(usize::MAX))?;
        tell(context, &pruned);
    }
    if let Some((_, handed_on)) = handed_on {
        handed_on?;
    }
    say(context, &file, &ended.findings)
}

fn tell(context: &Context, Pruned { removed, later }: &Pruned) {
    let backups = |count: usize| if count == 1 { "backup" } else { "backups" };
    if *removed > 0 {
        context.output.note(&format!("{removed} older {} removed", backups(*removed)));
    }
    if *later > 0 {
        context.output.warn(&format!(
            "{later} {} there, of a clock that was ahead, would pass for newer than this one, and none was removed; remove them by hand",
            backups(*later)
        ));
    }
}

/// Writes what comes until nothing more does; how many bytes.
fn receive(context: &Context, stream: &mut io::PipeReader, target: &mut Target<'_>) -> Result<u64, Failure> {
    let (mut room, mut count, mut told) = (vec![0; STEP], 0_u64, Instant::now());
    let mut progress = context.output.progress();
    loop {
        let came = match stream.read(&mut room) {
            Ok(0) => return Ok(count),
            Ok(came) => came,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::io("cannot read the backup", &error, "make it again")),
        };
        target.write(room.get(..came).unwrap_or_default())?;
        count += came as u64;
        if told.elapsed() >= TELL {
            progress.show(&format!("{} written", bytes(count)));
            told = Instant::now();
        }
    }
}

fn give_up(client: &Client, id: u64) {
    // It ends by itself too, because nobody reads it.
    let _ends_all_the_same = client.cancel(id);
}

fn say(context: &Context, file: &Path, findings: &Findings) -> Result<(), Failure> {
    let number = |key| findings.number(key).unwrap_or_default();
    let (tokens, size) = (number("tokens"), bytes(number("bytes")));
    let what =
        format!("{tokens} {} and all that belongs to them, {size}", if tokens == 1 { "token" } else { "tokens" });
    if file.as_os_str() == STANDARD {
        context.output.note(&what);
        return Ok(());
    }
    if context.output.wants_json() {
        return context.output.json(&Created { file: file.display().to_string(), findings });
    }
    context.output.line(&format!("{what}, in {}", crate::output::escape(&file.display().to_string())))
}
