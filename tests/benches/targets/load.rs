//! One run of a load program, and what it found.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokenvault_tests::User;

use crate::pin;

/// How much is to be called.
#[derive(Debug, Clone, Copy)]
enum Amount {
    /// For seconds, after warming up.
    Seconds(f64),
    /// So many calls of each caller.
    Calls(u64),
    /// The program takes no options: it has its own measure.
    Own,
}

/// A load program with its arguments.
#[derive(Debug, Clone)]
pub struct Load {
    program: PathBuf,
    words: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    user: User,
    callers: u32,
    amount: Amount,
    pinned: bool,
}

/// One that runs.
pub struct Running {
    child: Child,
    program: PathBuf,
}

/// What a load program prints.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Calls that were answered as they should be.
    pub calls: u64,
    /// Those that were not.
    pub errors: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// Microseconds.
    pub p50: f64,
    /// Microseconds.
    pub p99: f64,
}

impl Load {
    /// One caller, half a second.
    pub fn new(program: PathBuf, user: User, words: &[&str]) -> Self {
        Self {
            program,
            words: words.iter().map(Into::into).collect(),
            environment: Vec::new(),
            user,
            callers: 1,
            amount: Amount::Seconds(0.5),
            pinned: false,
        }
    }

    /// Sets a variable of its environment.
    pub fn with(mut self, variable: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((variable, value.into()));
        self
    }

    /// So many callers at a time.
    pub fn callers(mut self, callers: u32) -> Self {
        self.callers = callers;
        self
    }

    /// For so long.
    pub fn seconds(mut self, seconds: f64) -> Self {
        self.amount = Amount::Seconds(seconds);
        self
    }

    /// So many calls of each caller, all beginning together.
    pub fn calls(mut self, calls: u64) -> Self {
        self.amount = Amount::Calls(calls);
        self
    }

    /// The program takes no options.
    pub fn without_options(mut self) -> Self {
        self.amount = Amount::Own;
        self
    }

    /// On the processor the servers are on.
    pub fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }

    /// The command to run.
    pub fn command(&self) -> Command {
        let mut command = if self.pinned {
            let mut command = self.user.command("taskset");
            command.args(["-c", &pin::cpu().to_string()]).arg(&self.program);
            command
        } else {
            self.user.command(&self.program)
        };
        match self.amount {
            Amount::Seconds(seconds) => {
                command.args(["-n", &self.callers.to_string(), "-w", "0.1", "-s", &seconds.to_string()]);
            }
            Amount::Calls(calls) => {
                command.args(["-n", &self.callers.to_string(), "-c", &calls.to_string()]);
            }
            Amount::Own => {}
        }
        command.args(&self.words).envs(self.environment.iter().cloned());
        command
    }

    /// Runs it to its end; panics when it fails or any call did.
    pub fn run(&self) -> Sample {
        self.run_with_errors().checked(&self.program)
    }

    /// The same where errors are a result.
    pub fn run_with_errors(&self) -> Sample {
        let samples = self.lines();
        *samples.first().unwrap_or_else(|| panic!("{:?} printed nothing", self.program))
    }

    /// Every line it prints.
    pub fn lines(&self) -> Vec<Sample> {
        self.start().lines()
    }

    /// Starts it, to run beside something else.
    pub fn start(&self) -> Running {
        let child = self.command().stdout(Stdio::piped()).spawn().expect("a load program");
        Running { child, program: self.program.clone() }
    }
}

impl Running {
    /// Waits for its end; panics when it fails or any call did.
    pub fn finish(self) -> Sample {
        let program = self.program.clone();
        self.lines()[0].checked(&program)
    }

    fn lines(self) -> Vec<Sample> {
        let output = self.child.wait_with_output().expect("a load program");
        assert!(output.status.success(), "{:?}: {}", self.program, output.status);
        String::from_utf8(output.stdout).expect("ASCII").lines().map(Sample::parse).collect()
    }
}

impl Sample {
    /// Calls a second.
    pub fn rate(&self) -> f64 {
        self.calls as f64 / self.seconds
    }

    fn checked(self, program: &Path) -> Self {
        assert_eq!(self.errors, 0, "{} calls of {} failed, {} worked", self.errors, program.display(), self.calls);
        assert!(self.calls > 0, "{} made no call", program.display());
        self
    }

    fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<f64>().expect("a number of a load program");
        assert_eq!(words.len(), 5, "a load program printed {line:?}");
        Self {
            calls: number(0) as u64,
            errors: number(1) as u64,
            seconds: number(2),
            p50: number(3) / 1e3,
            p99: number(4) / 1e3,
        }
    }
}
