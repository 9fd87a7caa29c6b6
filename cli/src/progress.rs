//! How far something is: one line on standard error that is written over again and again, where somebody looks at it.

use std::io::{IsTerminal as _, Write as _};

/// The line.
pub struct Progress {
    is_shown: bool,
    is_there: bool,
}

impl Progress {
    /// Nothing is shown yet, and nothing ever where nobody looks or asked to.
    pub fn new(quiet: bool) -> Self {
        Self { is_shown: !quiet && std::io::stderr().is_terminal(), is_there: false }
    }

    /// Writes the line over.
    pub fn show(&mut self, line: &str) {
        if self.is_shown {
            Self::write(&format!("\r\u{1b}[K{line}"));
            self.is_there = true;
        }
    }

    /// Takes it away.
    pub fn clear(&mut self) {
        if self.is_there {
            Self::write("\r\u{1b}[K");
            self.is_there = false;
        }
    }

    fn write(text: &str) {
        let mut stderr = std::io::stderr().lock();
        // Who does not see how far it is still sees how it ends.
        let _unseen = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
