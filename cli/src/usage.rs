//! What is wrong with a command line, in one line: cause, and what is taken instead.
//!
//! The parser knows which option and which word it is; what is right is said by the value's own parser or by the list of
//! possible values, and else by the help of the subcommand.

use std::error::Error as _;
use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::output::escape;
use crate::parse::Malformed;

/// Cause and next step of a refused command line; `args` are its words, without the program.
pub fn explain<A: CommandFactory>(
    program: &str,
    args: impl IntoIterator<Item = OsString>,
    error: &clap::Error,
) -> (String, String) {
    let help = format!("see '{} --help'", subcommand_words::<A>(program, args));
    let (cause, next) = match error.kind() {
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ("no command is given".to_owned(), help)
        }
        ErrorKind::ValueValidation => malformed(error, help),
        ErrorKind::InvalidValue => impossible(error, help),
        ErrorKind::MissingRequiredArgument => (missing(error), help),
        _ => page(&error.render().to_string(), help),
    };
    (escape(&cause), escape(&next))
}

/// A word that the parser of its option refuses.
fn malformed(error: &clap::Error, help: String) -> (String, String) {
    let (option, word) = (option(error), context(error, ContextKind::InvalidValue));
    match error.source() {
        Some(source) => match source.downcast_ref::<Malformed>() {
            Some(Malformed { what, accepted }) => (format!("{option}: '{word}' {what}"), accepted.to_string()),
            None => (format!("{option}: {source}"), help),
        },
        None => (format!("{option}: '{word}' is not understood"), help),
    }
}

/// A word that is none of those an option knows, or none at all.
fn impossible(error: &clap::Error, help: String) -> (String, String) {
    let (option, word) = (option(error), context(error, ContextKind::InvalidValue));
    let cause =
        if word.is_empty() { format!("{option} needs a value") } else { format!("{option}: '{word}' is not possible") };
    let next = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(words)) => match words.split_last() {
            Some((last, [])) => format!("write {last}"),
            Some((last, others)) => format!("write {} or {last}", others.join(", ")),
            None => help,
        },
        _ => help,
    };
    (cause, next)
}

/// What was left out.
fn missing(error: &clap::Error) -> String {
    let words = context(error, ContextKind::InvalidArg).replace(['<', '>', '.'], "");
    format!("{words} {} missing", if words.contains(", ") { "are" } else { "is" })
}

/// The first paragraph of the parser's page, and its tip; not the one that takes every unknown option for a value.
fn page(page: &str, help: String) -> (String, String) {
    let mut paragraphs = page.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let cause = first.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let mut tips = paragraphs.flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("tip: "));
    let tip = tips.find(|tip| !tip.starts_with("to pass "));
    (cause, tip.map_or(help, str::to_owned))
}

/// The option or operand at fault, as it is written: without its value.
fn option(error: &clap::Error) -> String {
    let shown = context(error, ContextKind::InvalidArg);
    let name = if shown.starts_with('-') { shown.split([' ', '[', '=']).next().unwrap_or_default() } else { &shown };
    name.trim_matches(['<', '>', '[', ']', '.']).to_owned()
}

fn context(error: &clap::Error, kind: ContextKind) -> String {
    error.get(kind).map(ToString::to_string).unwrap_or_default()
}

/// `program`, and the subcommands among the words.
fn subcommand_words<A: CommandFactory>(program: &str, args: impl IntoIterator<Item = OsString>) -> String {
    let mut command = &A::command();
    let mut words = program.to_owned();
    for arg in args {
        if let Some(subcommand) = command.find_subcommand(&arg) {
            words.push(' ');
            words.push_str(subcommand.get_name());
            command = subcommand;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    enum Sample {
        Put {
            name: String,
            #[arg(long, value_name = "DURATION", value_parser = crate::parse::duration)]
            ttl: Option<u64>,
            #[arg(long, value_parser = ["create", "replace", "upsert"])]
            mode: Option<String>,
        },
    }

    fn explained(args: &[&str]) -> (String, String) {
        let error = Sample::try_parse_from(["sample"].iter().chain(args)).unwrap_err();
        explain::<Sample>("sample", args.iter().map(OsString::from), &error)
    }

    #[test]
    fn a_malformed_value_is_told_with_what_is_taken() {
        let (cause, next) = explained(&["put", "a", "--ttl", "5q"]);
        assert_eq!(cause, "--ttl: '5q' is not a duration");
        assert!(next.starts_with("write a number and its unit, as in 90s"), "{next}");
    }

    #[test]
    fn an_impossible_value_is_told_with_the_possible_ones() {
        let (cause, next) = explained(&["put", "a", "--mode=append"]);
        assert_eq!(
            (cause.as_str(), next.as_str()),
            ("--mode: 'append' is not possible", "write create, replace or upsert")
        );
        let (cause, next) = explained(&["put", "a", "--ttl"]);
        assert_eq!((cause.as_str(), next.as_str()), ("--ttl needs a value", "see 'sample put --help'"));
    }

    #[test]
    fn everything_else_is_one_line_with_the_help_of_the_subcommand() {
        let (cause, next) = explained(&["put"]);
        assert_eq!(cause, "NAME is missing");
        assert_eq!(next, "see 'sample put --help'");
    }

    #[test]
    fn a_tip_is_the_better_next_step() {
        let (cause, next) = explained(&["putt"]);
        assert_eq!(cause, "unrecognized subcommand 'putt'");
        assert_eq!(next, "a similar subcommand exists: 'put'");
    }
}
