//! `config check`: the daemon's own verdict on its configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;
use tokenvault_proto::ErrorCode;

use crate::common::Context;
use crate::ctl::daemon;
use crate::failure::{Failure, describe};
use crate::output::escape;

/// Exit status of a daemon that does not take its configuration.
const EX_CONFIG: u8 = 78;

/// Let the daemon's program check the configuration, without starting it
#[derive(clap::Args)]
pub struct Args {
    /// Check this file instead of the installed configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The daemon's program [default: the installed one, else the one beside this command]
    #[arg(long, value_name = "PATH")]
    daemon: Option<PathBuf>,
}

#[derive(Serialize)]
struct Verdict {
    ok: bool,
    message: String,
}

/// Runs the check; its exit status is the daemon's.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let daemon = args.daemon.map_or_else(daemon::find, Ok)?;
    let (status, message) = verdict(&daemon, args.config.as_deref())?;
    let ok = status == 0;
    if context.output.wants_json() {
        context.output.json(&Verdict { ok, message })?;
        return if ok { Ok(()) } else { Err(Failure::Silent(status)) };
    }
    if ok {
        context.output.line("The configuration is good.")?;
        // What is told beside that is hardly meant so.
        return if message.is_empty() { Ok(()) } else { context.output.line(&escape(cause(&message))) };
    }
    let message = if message.is_empty() { format!("'{}' failed without a word", daemon.display()) } else { message };
    Err(Failure::with_status(status, cause(&message), "correct it and check again"))
}

/// Exit status and words of the daemon's check.
fn verdict(daemon: &Path, config: Option<&Path>) -> Result<(u8, String), Failure> {
    let mut command = Command::new(daemon);
    command.arg("--check-config");
    if let Some(path) = config {
        command.arg("--config").arg(path);
    }
    let result = command.output().map_err(|error| {
        Failure::new(
            ErrorCode::Unavailable,
            format_args!("cannot run '{}': {}", daemon.display(), describe(&error)),
            "name the daemon's program with --daemon PATH",
        )
    })?;
    let text = if result.stderr.is_empty() { &result.stdout } else { &result.stderr };
    let message = String::from_utf8_lossy(text).trim().to_owned();
    // A program that was ended by a signal has no status of its own.
    let status = result.status.code().and_then(|code| u8::try_from(code).ok());
    Ok((status.unwrap_or(ErrorCode::Failed.exit_status()), message))
}

/// What the daemon has against its installed configuration, where it can be asked.
pub fn fault_of_the_installed() -> Option<String> {
    let (status, message) = verdict(&daemon::find().ok()?, None).ok()?;
    // A file that this caller may not read says nothing of what the daemon reads in it.
    (status == EX_CONFIG && !message.contains("Permission denied")).then(|| cause(&message).to_owned())
}

/// What the daemon says, without the words that its journal needs.
fn cause(message: &str) -> &str {
    let message = message.strip_prefix("tokenvaultd: ").unwrap_or(message);
    message.strip_prefix("error: ").unwrap_or(message)
}
