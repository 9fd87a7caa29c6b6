//! `completion`: the completion script of a program for a shell, and what it completes.
//!
//! The script asks the program itself at every press of the key, so that it also knows the names of the caller's tokens. It is
//! the program that is asked, with [`VARIABLE`] in its environment, and never anything else.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};
use tokenvault_client::{Client, IssuedOptions, ListOptions};

use crate::common::Context;
use crate::failure::Failure;

/// Set by the script to the name of its shell.
const VARIABLE: &str = "TOKENVAULT_COMPLETE";
/// Names that are offered at most.
const NAMES_MAX: u32 = 200;
/// How long somebody waits who has pressed a key.
const PATIENCE: Duration = Duration::from_millis(500);

/// Print the completion script for a shell
#[derive(clap::Args)]
pub struct Args {
    /// The shell
    shell: KnownShell,
}

/// The shells that packages install completions for.
#[derive(Clone, Copy, ValueEnum)]
enum KnownShell {
    Bash,
    Zsh,
    Fish,
}

impl KnownShell {
    const fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }
}

/// Prints the script of `program`.
pub fn run(context: &Context, args: Args, program: &str) -> Result<(), Failure> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let written = shells
        .completer(args.shell.name())
        .map(|shell| shell.write_registration(VARIABLE, program, program, program, &mut script));
    match written {
        Some(Ok(())) => {}
        // Both cannot be: the shells are built in, and memory takes what is written.
        Some(Err(error)) => return Err(Failure::io("cannot write the script", &error, "try again")),
        None => return Err(Failure::usage("this shell has no completions", "name bash, zsh or fish")),
    }
    if matches!(args.shell, KnownShell::Zsh) {
        // A file of zsh's is a function, and this is its first call.
        let first = format!("[ \"$funcstack[1]\" = _{program} ] && _clap_dynamic_completer_{program} \"$@\"\n");
        script.extend_from_slice(first.as_bytes());
    }
    context.output.write(&script)
}

/// Answers a script and ends the program, if it is one that asks.
pub fn answer(command: fn() -> clap::Command) {
    CompleteEnv::with_factory(command).var(VARIABLE).complete();
}

/// Ids of what the caller has issued. What goes wrong offers nothing.
pub fn issued_ids(begun: &OsStr) -> Vec<CompletionCandidate> {
    let Some(prefix) = begun.to_str() else { return Vec::new() };
    let Ok(mut client) = Client::open_within(None, PATIENCE) else { return Vec::new() };
    client.set_deadline(PATIENCE);
    let options = IssuedOptions { limit: Some(NAMES_MAX), ..IssuedOptions::default() };
    let Ok((issued, _)) = client.issued(&options) else { return Vec::new() };
    issued.into_iter().map(|info| info.id).filter(|id| id.starts_with(prefix)).map(CompletionCandidate::new).collect()
}

/// Names of the caller's tokens that begin like what is there. What goes wrong offers nothing.
pub fn token_names(begun: &OsStr) -> Vec<CompletionCandidate> {
    let Some(prefix) = begun.to_str() else { return Vec::new() };
    let Ok(mut client) = Client::open_within(None, PATIENCE) else { return Vec::new() };
    client.set_deadline(PATIENCE);
    let mut options = ListOptions { prefix: Some(prefix.to_owned()), limit: Some(NAMES_MAX), ..ListOptions::default() };
    let (begun, mut names) = (Instant::now(), Vec::new());
    // A page of few tokens that are meant, or of none, may not be the last.
    while names.len() < NAMES_MAX as usize
        && begun.elapsed() < PATIENCE
        && let Ok((tokens, next)) = client.list(&options)
    {
        names.extend(tokens.into_iter().map(|token| token.name).filter(|name| is_plain(name)));
        if next.is_empty() {
            break;
        }
        options.after = Some(next);
    }
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// Whether every shell takes a name for one word and nothing else. bash puts what is offered into the line as it is, and looks
/// for files where it has a pattern; so a name that would have to be quoted is not offered, nor one that looks like an option.
fn is_plain(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_./:@+,%=".contains(letter);
    name.chars().all(is_plain) && name.starts_with(|letter: char| letter.is_alphanumeric() || "_.@".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_shell_would_take_for_more_than_a_word_are_not_plain() {
        for name in ["prod/api-key", "a.b_c", "user@host:22", "größe", "日本", "a=b+c,d%e", ".hidden"] {
            assert!(is_plain(name), "{name}");
        }
        let special = "a;b $(x) `x` a&b a|b a<b a>b a*b a?b [a] {a,b} a\"b a'b a\\b #a a# !a ~root a~ ^a -rf =ls %1 +x two\twords";
        for name in special.split(' ').chain(["two words", "", "a\u{1b}[2J", "a\u{202e}b"]) {
            assert!(!is_plain(name), "{name}");
        }
    }
}
