//! Where results go: standard output, as text for people or as JSON for programs. Notes for people go to standard error.

mod fields;
mod json;
mod pager;
mod progress;
mod table;
mod text;

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

pub use fields::Fields;
pub use json::{JsonMode, SCHEMA, defuse, document};
pub use progress::Progress;
pub use table::{Align, Table};
pub use text::{bytes, escape, minute, minute_or_never, moment, moment_or_never, span};

use crate::common::CommonArgs;
use crate::failure::Failure;
use crate::{program, sys};

/// The output of one command.
pub struct Output {
    program: &'static str,
    json: JsonMode,
    legend: bool,
    pager: bool,
    quiet: bool,
    columns: Option<usize>,
    colour: bool,
}

/// Width of a terminal that does not know its own.
const COLUMNS: usize = 80;

impl Output {
    /// As the common options and the environment say.
    pub fn new(program: &'static str, args: &CommonArgs) -> Self {
        let terminal = io::stdout().is_terminal();
        let variable = |name| std::env::var_os(name).unwrap_or_default();
        Self {
            program,
            json: args.json,
            legend: !args.no_legend,
            pager: terminal && !args.no_pager,
            quiet: args.quiet,
            columns: terminal.then(|| sys::columns(io::stdout()).unwrap_or(COLUMNS)),
            colour: terminal && variable("NO_COLOR").is_empty() && variable("TERM") != "dumb",
        }
    }

    /// Whether standard output is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.columns.is_some()
    }

    /// Whether nothing is to be said but what went wrong.
    pub const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// A line that says how far long work is.
    pub fn progress(&self) -> Progress {
        Progress::new(self.quiet)
    }

    /// Whether JSON was asked for.
    pub fn wants_json(&self) -> bool {
        self.json != JsonMode::Off
    }

    /// Prints a JSON object: the schema, then the keys of `body`.
    pub fn json(&self, body: &impl serde::Serialize) -> Result<(), Failure> {
        let text = document(body, self.pretty())
            .map_err(|error| Failure::io("cannot write the result as JSON", &error, "leave --json out"))?;
        self.write(&text)
    }

    /// Whether JSON is to be spread over lines.
    pub fn pretty(&self) -> bool {
        match self.json {
            JsonMode::Auto => self.is_terminal(),
            mode => mode == JsonMode::Pretty,
        }
    }

    /// Prints one line that says what was done. The caller has escaped what came from elsewhere.
    pub fn line(&self, line: &str) -> Result<(), Failure> {
        if self.quiet { Ok(()) } else { self.result_line(line) }
    }

    /// Prints one line of a result that was asked for, also where nothing else is said.
    pub fn result_line(&self, line: &str) -> Result<(), Failure> {
        self.write(format!("{line}\n").as_bytes())
    }

    /// The end of a command that has no result but its success: silence, or the bare document.
    pub fn done(&self) -> Result<(), Failure> {
        if self.wants_json() { self.json(&serde_json::Map::new()) } else { Ok(()) }
    }

    /// Prints a table, through the pager when it is longer than the screen.
    pub fn table(&self, table: &Table, footer: &str) -> Result<(), Failure> {
        self.text(&self.render(table, footer))
    }

    /// The same behind which something follows: never through the pager, which would have to be left first.
    pub fn table_at_once(&self, table: &Table, footer: &str) -> Result<(), Failure> {
        self.write(self.render(table, footer).as_bytes())
    }

    fn render(&self, table: &Table, footer: &str) -> String {
        let mut text = table.render(self.legend, self.colour, self.columns);
        if self.legend && self.is_terminal() {
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}{footer}\n"));
        }
        text
    }

    /// Prints fields, through the pager when they are longer than the screen.
    pub fn fields(&self, fields: &Fields) -> Result<(), Failure> {
        self.text(&fields.render(self.columns))
    }

    /// Prints text of many lines, through the pager when it is longer than the screen.
    pub fn text(&self, text: &str) -> Result<(), Failure> {
        if self.pager && pager::longer_than_screen(text) && pager::show(text) {
            return Ok(());
        }
        self.write(text.as_bytes())
    }

    /// Writes exactly these bytes to standard output, past every buffer: a value must leave no copy behind.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        stdout.and_then(|fd| File::from(fd).write_all(bytes)).map_err(|error| Failure::stdout(&error))
    }

    /// What somebody has to do something about, on standard error; said also where nothing else is.
    pub fn warn(&self, line: &str) {
        program::say(self.program, line);
    }

    /// A remark for people, on standard error.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            program::say(self.program, line);
        }
    }
}
