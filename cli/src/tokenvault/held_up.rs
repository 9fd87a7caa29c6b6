//! Something short that is nobody else's to see, held up to the vault: an issued token, a code.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::os::fd::RawFd;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::common::Context;
use crate::failure::Failure;
use crate::input::{Echo, Source, Terminal, read_text};
use crate::parse;
use crate::secret::SecretBytes;

/// Most bytes typed at the prompt.
const TYPED_BYTES_MAX: usize = 256;

/// Where it comes from.
#[derive(clap::Args)]
pub struct HeldUpArgs {
    /// Read it from a file
    #[arg(long, value_name = "PATH", conflicts_with = "from_fd")]
    from_file: Option<PathBuf>,

    /// Read it from an open file descriptor
    #[arg(long, value_name = "N", value_parser = parse::descriptor, allow_hyphen_values = true)]
    from_fd: Option<RawFd>,

    // Caught so that it can be refused with the reason, and without repeating it.
    #[arg(hide = true)]
    on_the_command_line: Vec<OsString>,
}

impl HeldUpArgs {
    /// Its text, without the end of its line; `question` is what is asked for at a terminal.
    pub fn read(self, question: &str) -> Result<Zeroizing<String>, Failure> {
        if !self.on_the_command_line.is_empty() {
            return Err(Failure::usage(
                "what is on the command line is seen by every process of the machine and kept in the shell's history",
                "give it on standard input, with --from-file or with --from-fd",
            ));
        }
        let source = match (self.from_file, self.from_fd) {
            (Some(path), _) => Some(Source::from_path(&path)),
            (None, Some(number)) => Some(Source::Descriptor(number)),
            (None, None) if io::stdin().is_terminal() => None,
            (None, None) => Some(Source::Stdin),
        };
        let mut read = match source {
            Some(source) => read_text(&source)?,
            None => Terminal::open("give it on standard input")?.ask(question, Echo::Hidden, TYPED_BYTES_MAX)?,
        };
        read.strip_newline();
        let text = std::str::from_utf8(read.expose())
            .map_err(|_| Failure::usage("what was given is no text", "check the command or file it comes from"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// Writes a line that ends with something that nobody else is to see, and leaves no copy of it behind.
pub fn write_line(context: &Context, before: &str, text: &str) -> Result<(), Failure> {
    let mut line = SecretBytes::with_capacity(before.len() + text.len() + 1);
    let _it_fits = [before.as_bytes(), text.as_bytes(), b"\n"].iter().try_for_each(|part| line.extend(part));
    context.output.write(line.expose())
}
