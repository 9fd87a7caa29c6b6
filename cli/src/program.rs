//! What both programs do before and after a subcommand: guard the process, read the arguments, say what went wrong.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::failure::Failure;
use crate::output::escape;

/// Runs `body` with the parsed arguments; its failure becomes one line on standard error and the exit status.
pub fn run<A: Parser>(program: &'static str, body: fn(A) -> Result<(), Failure>) -> ExitCode {
    // Another process of the user must not read values out of this one. Where it is refused, nothing else can be done.
    let _ = nix::sys::prctl::set_dumpable(false);
    let result = A::try_parse().map_err(|error| usage(program, &error)).and_then(body);
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
fn usage(program: &str, error: &clap::Error) -> Failure {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match error.print() {
            Ok(()) => Failure::Silent(0),
            Err(error) => Failure::stdout(&error),
        },
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Failure::usage("no command is given", format_args!("see '{program} --help'"))
        }
        _ => {
            let (cause, next) = summary(program, &error.render().to_string());
            Failure::usage(cause, next)
        }
    }
}

/// Cause and next step of a page of the parser: its first paragraph, and its tip or the help of the subcommand.
fn summary(program: &str, page: &str) -> (String, String) {
    let mut paragraphs = page.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let cause = first.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let mut next = format!("see '{program} --help'");
    for line in paragraphs.flat_map(str::lines).map(str::trim) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            tip.clone_into(&mut next);
            break;
        }
        if let Some(synopsis) = line.strip_prefix("Usage: ") {
            next = format!("see '{} --help'", command_words(synopsis));
        }
    }
    (escape(&cause), escape(&next))
}

/// The words of a synopsis before its options and operands.
fn command_words(synopsis: &str) -> String {
    synopsis
        .split_whitespace()
        .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-'))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_cause_and_help_of_the_subcommand() {
        let page = "error: the following required arguments were not provided:\n  <NAME>\n\nUsage: tokenvault put <NAME>\n\nFor more information, try '--help'.\n";
        let (cause, next) = summary("tokenvault", page);
        assert_eq!(cause, "the following required arguments were not provided: <NAME>");
        assert_eq!(next, "see 'tokenvault put --help'");
    }

    #[test]
    fn a_tip_is_the_better_next_step() {
        let page = "error: unrecognized subcommand 'lst'\n\n  tip: a similar subcommand exists: 'list'\n\nUsage: tokenvault [OPTIONS] <COMMAND>\n";
        let (cause, next) = summary("tokenvault", page);
        assert_eq!(cause, "unrecognized subcommand 'lst'");
        assert_eq!(next, "a similar subcommand exists: 'list'");
    }
}
