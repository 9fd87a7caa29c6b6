//! What a command in a machine had to say.

use std::io::Write as _;
use std::process::{Command, ExitStatus, Stdio};

/// The end of a command.
#[derive(Debug)]
#[must_use]
pub struct Said {
    command: String,
    status: ExitStatus,
    output: String,
    errors: String,
}

impl Said {
    /// Runs a command to its end.
    pub fn by(mut command: Command, input: &str) -> Self {
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("running a command in the machine");
        // A command that reads nothing may have ended already.
        child.stdin.take().expect("a piped stdin").write_all(input.as_bytes()).ok();
        let output = child.wait_with_output().expect("the end of a command");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
        Self {
            command: words.last().cloned().unwrap_or_default(),
            status: output.status,
            output: text(output.stdout),
            errors: text(output.stderr),
        }
    }

    /// What it printed; it must have succeeded.
    #[track_caller]
    pub fn succeeds(self) -> String {
        assert!(self.status.success(), "{}", self.told());
        self.output
    }

    /// What it said on standard error; it must have ended with that status.
    #[track_caller]
    pub fn fails_with(self, status: i32) -> String {
        assert_eq!(self.status.code(), Some(status), "{}", self.told());
        self.errors
    }

    /// Everything it said; it must have failed.
    #[track_caller]
    pub fn fails(self) -> String {
        assert!(!self.status.success(), "{}", self.told());
        format!("{}{}", self.output, self.errors)
    }

    /// What it printed if it succeeded.
    pub fn ok(self) -> Option<String> {
        self.status.success().then_some(self.output)
    }

    /// All of it, for a test that expected something else.
    fn told(&self) -> String {
        let Self { command, status, output, errors } = self;
        format!("'{command}' ended with {status}\n{output}\n{errors}")
    }
}
