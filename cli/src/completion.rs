//! `completion`: the completion script of a program for a shell.

use clap::ValueEnum;
use clap_complete::Shell;

use crate::common::Context;
use crate::failure::Failure;

/// Print the completion script for a shell
#[derive(clap::Args)]
pub struct Args {
    /// The shell
    shell: KnownShell,
}

/// The shells that packages install completions for.
#[derive(Clone, Copy, ValueEnum)]
enum KnownShell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script of `program`.
pub fn run(context: &Context, args: Args, mut command: clap::Command, program: &str) -> Result<(), Failure> {
    let shell = match args.shell {
        KnownShell::Bash => Shell::Bash,
        KnownShell::Zsh => Shell::Zsh,
        KnownShell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, program, &mut script);
    context.output.write(&script)
}
