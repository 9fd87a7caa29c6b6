//! `put`: a value into the vault.

use clap_complete::engine::ArgValueCompleter;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::os::fd::RawFd;
use std::path::PathBuf;

use serde::Serialize;

use super::write::WriteArgs;
use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::input::{Source, Terminal, check_value, read_value};
use crate::parse;
use crate::secret::SecretBytes;

/// Most bytes typed at the prompt.
const TYPED_BYTES_MAX: usize = 8_192;

/// Store a value, and print the number of its version
///
/// The value is read from standard input and kept byte for byte; at a terminal it is asked for twice and not shown. It is
/// never taken from the command line.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token: at most 255 bytes of UTF-8 in form NFC without control characters, in parts between '/' of which none is
    /// empty, '.' or '..'
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// Read the value from a file
    #[arg(long, value_name = "PATH", conflicts_with = "from_fd")]
    from_file: Option<PathBuf>,

    /// Read the value from an open file descriptor
    #[arg(long, value_name = "N", value_parser = parse::descriptor, allow_hyphen_values = true)]
    from_fd: Option<RawFd>,

    /// Take one line end from the end of the value
    #[arg(long)]
    strip_newline: bool,

    #[command(flatten)]
    write: WriteArgs,

    // Caught so that it can be refused with the reason, and without repeating it.
    #[arg(hide = true)]
    value_on_the_command_line: Vec<OsString>,
}

#[derive(Serialize)]
struct Stored<'a> {
    name: &'a str,
    version: u64,
}

/// Stores the value.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    if !args.value_on_the_command_line.is_empty() {
        return Err(Failure::usage(
            "a value on the command line is seen by every process of the machine and kept in the shell's history",
            "give it on standard input, with --from-file or with --from-fd",
        ));
    }
    let options = args.write.into_options()?;
    let source = match (args.from_file, args.from_fd) {
        (Some(path), _) => Some(Source::from_path(&path)),
        (None, Some(number)) => Some(Source::Descriptor(number)),
        (None, None) if io::stdin().is_terminal() => None,
        (None, None) => Some(Source::Stdin),
    };
    let mut value = match source {
        Some(source) => read_value(&source)?,
        None => ask(&args.name)?,
    };
    if args.strip_newline {
        value.strip_newline();
        check_value(&value)?;
    }
    let version = context.client()?.put(&args.name, value.expose(), &options)?;
    if context.output.wants_json() {
        return context.output.json(&Stored { name: &args.name, version });
    }
    context.output.line(&version.to_string())
}

fn ask(name: &str) -> Result<SecretBytes, Failure> {
    let value = Terminal::open("give the value on standard input")?
        .ask_twice(&format!("Value of '{name}'"), TYPED_BYTES_MAX)?;
    check_value(&value)?;
    Ok(value)
}
