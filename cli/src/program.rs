//! What both programs do before and after a subcommand: guard the process, read the arguments, say what went wrong.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::failure::Failure;
use crate::usage;

/// Runs `body` with the parsed arguments; its failure becomes one line on standard error and the exit status.
pub fn run<A: Parser>(program: &'static str, body: fn(A) -> Result<(), Failure>) -> ExitCode {
    // Another process of the user must not read values out of this one. Where it is refused, nothing else can be done.
    let _ = nix::sys::prctl::set_dumpable(false);
    let result = A::try_parse().map_err(|error| refuse::<A>(program, &error)).and_then(body);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(line) = failure.line() {
                say(program, &line);
            }
            ExitCode::from(failure.status())
        }
    }
}

/// One line to standard error. Nobody can be told when that fails too.
pub fn say(program: &str, line: &str) {
    let _ = writeln!(std::io::stderr(), "{program}: {line}");
}

/// Turns the parser's page into one line, and its help into a success.
fn refuse<A: Parser>(program: &str, error: &clap::Error) -> Failure {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match error.print() {
            Ok(()) => Failure::Silent(0),
            Err(error) => Failure::stdout(&error),
        },
        _ => {
            let (cause, next) = usage::explain::<A>(program, std::env::args_os().skip(1), error);
            Failure::usage(cause, next)
        }
    }
}
