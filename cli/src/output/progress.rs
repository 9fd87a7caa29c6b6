//! How far long work is.

use std::io::{IsTerminal as _, Write as _};

/// One line on standard error that is written over again and again, where somebody looks at it.
pub struct Progress {
    is_shown: bool,
    is_there: bool,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        Self { is_shown: !quiet && std::io::stderr().is_terminal(), is_there: false }
    }

    /// Says how far it is.
    pub fn show(&mut self, line: &str) {
        if self.is_shown {
            write(&format!("\r\u{1b}[K{line}"));
            self.is_there = true;
        }
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.is_there {
            write("\r\u{1b}[K");
            self.is_there = false;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // Who does not see how far it is still sees how it ends.
    let _unseen = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
