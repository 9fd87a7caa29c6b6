//! A login program that the test meets on its way.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};

use tokenvault_tests::process::Process;
use tokenvault_tests::wait;

use crate::kit::{Call, call};

/// A program that waits where its actions say 'meet'. It is killed when dropped.
pub struct Guest {
    process: Process,
    tell: ChildStdin,
    hear: Lines<BufReader<ChildStdout>>,
}

impl Guest {
    /// Takes charge of it.
    pub fn new(mut child: Child) -> Self {
        let (tell, hear) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { process: Process::adopt(child), tell, hear: BufReader::new(hear).lines() }
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Waits until it is at its next 'meet'; the calls up to there.
    #[track_caller]
    pub fn meet(&mut self) -> Vec<Call> {
        let mut calls = Vec::new();
        for line in &mut self.hear {
            match line.unwrap().as_str() {
                "meet" => return calls,
                line => calls.push(call(line)),
            }
        }
        panic!("the program has ended, with {calls:?}");
    }

    /// Lets it go on from a 'meet'.
    pub fn go_on(&mut self) {
        self.tell.write_all(b"go on\n").unwrap();
    }

    /// Lets it go on to its end, which must be a good one.
    #[track_caller]
    pub fn end(mut self) {
        self.go_on();
        assert!(self.ends_well());
    }

    /// Waits for its end; whether it was a good one.
    pub fn ends_well(mut self) -> bool {
        self.process.wait(wait::PATIENCE).expect("the program hangs").success()
    }
}
