//! Questions at the terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd as _;

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use tokenvault_proto::ErrorCode;

use super::line::{Line, Step};
use crate::failure::Failure;
use crate::output::escape;
use crate::secret::SecretBytes;

/// Whether what is typed can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// It can, because it stands on the screen already.
    Shown,
    /// It cannot.
    Hidden,
}

/// The terminal of the user. Nothing that is written here lands in a file standard output is redirected to.
pub struct Terminal {
    keyboard: File,
    screen: File,
}

impl Terminal {
    /// The terminal behind standard input and standard error, else the controlling one.
    ///
    /// # Errors
    /// When there is none; `instead` says what works without one.
    pub fn open(instead: &str) -> Result<Self, Failure> {
        Self::find().map_err(|_| Failure::new(ErrorCode::InvalidArgs, "there is no terminal to ask at", instead))
    }

    fn find() -> io::Result<Self> {
        let controlling = || OpenOptions::new().read(true).write(true).open("/dev/tty");
        let keyboard = if io::stdin().is_terminal() {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            controlling()?
        };
        let screen = if io::stderr().is_terminal() {
            File::from(io::stderr().as_fd().try_clone_to_owned()?)
        } else {
            controlling()?
        };
        Ok(Self { keyboard, screen })
    }

    /// Shows text.
    pub fn show(&self, text: &str) -> Result<(), Failure> {
        (&self.screen).write_all(text.as_bytes()).map_err(|error| lost(&error))
    }

    /// Asks for one line of at most `capacity` bytes.
    pub fn ask(&self, question: &str, echo: Echo, capacity: usize) -> Result<SecretBytes, Failure> {
        let _raw = RawMode::enter(&self.keyboard).map_err(|error| lost(&error))?;
        self.answer(question, echo, capacity)
    }

    /// Asks twice for something that cannot be seen, until both are the same.
    pub fn ask_twice(&self, question: &str, capacity: usize) -> Result<SecretBytes, Failure> {
        let _raw = RawMode::enter(&self.keyboard).map_err(|error| lost(&error))?;
        let first = self.answer(question, Echo::Hidden, capacity)?;
        self.same_again(question, first, capacity)
    }

    /// Asks once more for what was answered before, until both are the same.
    pub fn ask_again(&self, question: &str, first: SecretBytes, capacity: usize) -> Result<SecretBytes, Failure> {
        let _raw = RawMode::enter(&self.keyboard).map_err(|error| lost(&error))?;
        self.same_again(question, first, capacity)
    }

    fn same_again(&self, question: &str, mut first: SecretBytes, capacity: usize) -> Result<SecretBytes, Failure> {
        loop {
            let second = self.answer(&format!("{question}, again"), Echo::Hidden, capacity)?;
            if first.expose() == second.expose() {
                return Ok(first);
            }
            self.show("The two are not the same, once more.\n")?;
            first = self.answer(question, Echo::Hidden, capacity)?;
        }
    }

    /// One question and its answer. The keyboard is silent before the question stands there, so that a quick answer is too.
    fn answer(&self, question: &str, echo: Echo, capacity: usize) -> Result<SecretBytes, Failure> {
        self.show(&format!("{}: ", escape(question)))?;
        let line = self.read_line(echo, capacity);
        self.show("\n")?;
        line
    }

    fn read_line(&self, echo: Echo, capacity: usize) -> Result<SecretBytes, Failure> {
        let mut line = Line::new(capacity);
        loop {
            let mut byte = [0];
            if (&self.keyboard).read(&mut byte).map_err(|error| lost(&error))? == 0 {
                return Err(Failure::cancelled());
            }
            let [key] = byte;
            match line.key(key) {
                Step::Ignored => {}
                Step::Added(byte) if echo == Echo::Shown => {
                    (&self.screen).write_all(&[byte]).map_err(|error| lost(&error))?;
                }
                Step::Added(_) => {}
                Step::Removed(count) if echo == Echo::Shown => self.show(&"\u{8} \u{8}".repeat(count))?,
                Step::Removed(_) => {}
                Step::Done => return Ok(line.into_text()),
                Step::Cancelled => return Err(Failure::cancelled()),
                Step::TooLong => {
                    return Err(Failure::usage(
                        format_args!("the line is longer than {capacity} bytes"),
                        "give it from a file or a descriptor",
                    ));
                }
            }
        }
    }
}

fn lost(error: &io::Error) -> Failure {
    Failure::io("cannot talk to the terminal", error, "run the command at another one")
}

/// Keys arrive one by one, unseen, and Ctrl-C is a key like any other, so that nothing can leave the terminal in this state.
struct RawMode<'a> {
    keyboard: &'a File,
    before: Termios,
}

impl<'a> RawMode<'a> {
    fn enter(keyboard: &'a File) -> io::Result<Self> {
        let before = termios::tcgetattr(keyboard)?;
        let mut raw = before.clone();
        raw.local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN);
        // What was typed ahead is kept: it was meant for this prompt.
        termios::tcsetattr(keyboard, SetArg::TCSADRAIN, &raw)?;
        Ok(Self { keyboard, before })
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(self.keyboard, SetArg::TCSADRAIN, &self.before);
    }
}
