//! A program at a terminal, and somebody who reads and types there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::process::Process;
use crate::wait;

/// How long somebody waits for the program.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program with a terminal of its own; killed when dropped.
#[derive(Debug)]
pub struct Terminal {
    master: File,
    // Kept, so that nothing written there is lost when the program closes its end.
    slave: File,
    shown: String,
    process: Process,
}

impl Terminal {
    /// Starts a program that has the terminal for its own.
    pub fn run(command: Command) -> Self {
        let mut owner = Command::new("setsid");
        owner.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            value.map(|value| owner.env(name, value));
        }
        Self::start(owner)
    }

    /// Starts a program with the terminal for its standard streams, as the user that the command says.
    pub fn start(mut command: Command) -> Self {
        let pty = openpty(None, None).expect("a pseudo-terminal");
        let slave = File::from(pty.slave);
        let handle = || Stdio::from(slave.try_clone().expect("a second handle of a terminal"));
        let child = command.env("TERM", "dumb").stdin(handle()).stdout(handle()).stderr(handle()).spawn();
        let process = Process::adopt(child.expect("starting a program at a terminal"));
        Self { master: File::from(pty.master), slave, shown: String::new(), process }
    }

    /// Reads until `text` has been shown; everything up to there that was not read before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown.find(text) {
                let rest = self.shown.split_off(at + text.len());
                return std::mem::replace(&mut self.shown, rest);
            }
            let event = wait::for_any(&[self.master.as_fd(), self.process.exit_event().as_fd()], deadline);
            assert!(event == Some(0), "no {text:?} but {:?}; {event:?}", self.shown);
            let mut buffer = [0; 4096];
            let length = self.master.read(&mut buffer).expect("reading a terminal");
            self.shown.push_str(&String::from_utf8_lossy(&buffer[..length]).replace('\r', ""));
        }
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        self.master.write_all(format!("{line}\n").as_bytes()).expect("typing");
    }

    /// Waits for a prompt that hides what is typed, and answers it. A prompt is shown before it hides, and what was typed
    /// before it does is thrown away.
    #[track_caller]
    pub fn answer_hidden(&mut self, prompt: &str, answer: &str) {
        self.expect(prompt);
        wait::until("a terminal that hides what is typed", || {
            let mode = tcgetattr(&self.slave).expect("the mode of a terminal");
            (!mode.local_flags.contains(LocalFlags::ECHO)).then_some(())
        });
        self.type_line(answer);
    }

    /// Waits until the program has ended; whether it succeeded.
    #[track_caller]
    pub fn ends(self) -> bool {
        self.ends_with() == Some(0)
    }

    /// Waits until the program has ended; its exit status.
    #[track_caller]
    pub fn ends_with(mut self) -> Option<i32> {
        self.process.wait(PATIENCE).expect("the program at the terminal does not end").code()
    }
}
