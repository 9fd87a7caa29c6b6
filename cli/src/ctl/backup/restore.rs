//! `backup restore`: a backup takes the place of what is in the vault.

use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde::Serialize;
use tokenvault_proto::{Findings, RestoreOptions};

use super::faults::{STANDARD, unreadable};
use super::verify::open;
use crate::common::Context;
use crate::ctl::operation;
use crate::failure::Failure;
use crate::input::Source;
use crate::output::{escape, moment};
use crate::recovery;

/// Restore a backup, on this machine or another, with the recovery key
///
/// All of it is verified before anything changes; then it takes the place of everything in the vault and is sealed to the TPM of this
/// machine. The recovery key is asked for unless it is in a file. It has to be the word of the vault in which this key was confirmed:
/// whoever knows the public half of the key, which is in every backup, could make one of a vault of his own. One from before the key was
/// confirmed is restored only with --unvouched. Everything is as it was when the backup was made: what was deleted, revoked or redeemed
/// since is there and valid again, who was frozen since is not. A lockdown stays on. The store of the vault before is kept in the state
/// directory; put back after a restore of the same vault on the same TPM it needs 'tokenvaultctl recover'.
#[derive(clap::Args)]
pub struct Args {
    /// The backup; '-' is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Take the place of a vault that holds tokens or had users; a copy of its store is kept, as of every vault
    #[arg(long)]
    replace: bool,

    /// Restore also a backup that nobody vouches for: name only one that was always kept where nobody else can write
    #[arg(long)]
    unvouched: bool,

    /// Read the recovery key from a file
    #[arg(long, value_name = "FILE")]
    recovery_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Done<'a> {
    #[serde(flatten)]
    findings: &'a Findings,
}

/// Restores.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let from_stdin = |path: &Path| path.as_os_str() == STANDARD;
    if from_stdin(&args.file) && args.recovery_file.as_deref().is_some_and(from_stdin) {
        return Err(Failure::usage(
            "the backup and the recovery key cannot both come from standard input",
            "name a file for one of them",
        ));
    }
    let client = context.client()?;
    let file = open(&args.file)?;
    let key = recovery::read_key(args.recovery_file.as_deref().map(Source::from_path).as_ref())?;
    let (out, entrance) = io::pipe().map_err(|error| Failure::io("cannot make a pipe", &error, "try again"))?;
    let options = RestoreOptions { replace: args.replace.then_some(true), unvouched: args.unvouched.then_some(true) };
    let id = client.restore(out.as_fd(), key.expose(), &options)?;
    drop((out, key));
    let unread = send(file, entrance);
    let ended = operation::wait(context, &client, id, "rows read")?;
    if let Some(failure) = ended.failure {
        // What could not be read looks to the daemon as if it were cut off.
        return Err(unread.try_recv().map_or(failure, |error| unreadable(&args.file, &error)));
    }
    say(context, &ended.findings)
}

/// Sends a file through a pipe; why it could not be read, if so. Nobody waits for it: the daemon may want no more of it.
fn send(mut file: std::fs::File, mut entrance: io::PipeWriter) -> Receiver<io::Error> {
    let (unread, told) = channel();
    thread::spawn(move || {
        if let Err(error) = io::copy(&mut file, &mut entrance)
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            let _nobody_asks = unread.send(error);
        }
        drop(entrance);
    });
    told
}

fn say(context: &Context, findings: &Findings) -> Result<(), Failure> {
    if let Some(why) = findings.text("no-tpm") {
        let slot = findings.text("slot");
        context.output.warn(&match slot {
            Some(slot) => format!("the TPM does not open the vault ({}), slot '{}' does", escape(why), escape(slot)),
            None => format!(
                "nothing opens the vault unattended ({}): it serves until tokenvaultd restarts; run 'tokenvaultctl slot add tpm2' when \
                 the TPM answers, or 'tokenvaultctl slot add passphrase'; 'tokenvaultctl unseal --recovery' opens it meanwhile",
                escape(why)
            ),
        });
    }
    if let Some(why) = findings.text("no-anchor") {
        context.output.warn(&format!(
            "the TPM did not say how far it has counted for this vault ({}): should tokenvaultd start again before it does, take the store with \
             'tokenvaultctl recover'",
            escape(why)
        ));
    }
    if context.output.wants_json() {
        return context.output.json(&Done { findings });
    }
    let number = |key| findings.number(key).unwrap_or_default();
    let (tokens, made) = (number("tokens"), moment(number("made")));
    context
        .output
        .line(&format!("{tokens} {} restored, as of {made}", if tokens == 1 { "token" } else { "tokens" }))?;
    if let Some(kept) = findings.text("kept") {
        context.output.note(&format!(
            "the store before is kept as {} in the state directory; remove it when nothing of it is missed",
            escape(kept)
        ));
    }
    Ok(())
}
