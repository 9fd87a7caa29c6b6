//! `config check`: the daemon's own verdict on its configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;
use tokenvault_proto::ErrorCode;

use crate::common::Context;
use crate::ctl::daemon;
use crate::failure::{Failure, describe};

/// Exit status of a daemon that does not take its configuration.
const EX_CONFIG: u8 = 78;

/// Let the daemon's program check the configuration, without starting it
///
/// The exit status is that of the daemon's program: 78 when the configuration is bad.
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
        if !message.is_empty() {
            context.output.warn(cause(&message));
        }
        return context.output.line("The configuration is good.");
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

/// What the daemon's program says of the installed configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It takes it.
    Good,
    /// It takes it with this remark.
    Remark(String),
    /// It does not, for this reason.
    Bad(String),
    /// This caller may not read all of it, which says nothing of what the daemon reads.
    Unreadable,
    /// The program cannot be asked, for this reason.
    Unasked(String),
}

/// Asks it, whether or not a daemon runs: the next one that starts reads what is there now.
pub fn judge_the_installed() -> Judgement {
    let (status, message) = match daemon::find().and_then(|daemon| verdict(&daemon, None)) {
        Ok(verdict) => verdict,
        Err(failure) => return Judgement::Unasked(failure.parts().0),
    };
    let said = cause(&message).to_owned();
    match status {
        0 if said.is_empty() => Judgement::Good,
        0 => Judgement::Remark(said),
        EX_CONFIG if said.contains("Permission denied") => Judgement::Unreadable,
        EX_CONFIG => Judgement::Bad(said),
        _ => Judgement::Unasked(format!("the check ended with {status}: {said}")),
    }
}

/// What the daemon says, without the words that its journal needs.
fn cause(message: &str) -> &str {
    let message = message.strip_prefix("tokenvaultd: ").unwrap_or(message);
    message.strip_prefix("error: ").or_else(|| message.strip_prefix("warn: ")).unwrap_or(message)
}
