//! Building C programs against the installed library and running them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tokenvault_tests::{Door, User, Vault, program, stage};

/// Under what a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Under {
    /// Nothing.
    Plain,
    /// valgrind, which sees every access to memory, the library's own included.
    Valgrind,
    /// AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer.
    Sanitizers,
}

/// As a user of the library would.
const WARNINGS: [&str; 5] = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"];
const SANITIZERS: [&str; 3] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];
/// Far longer than any of the programs takes under valgrind on a busy machine.
const TIMEOUT: [&str; 3] = ["/usr/bin/timeout", "--signal=KILL", "180"];
const VALGRIND: [&str; 4] = ["/usr/bin/valgrind", "-q", "--error-exitcode=99", "--leak-check=full"];

/// A source file of the tests.
pub fn source(name: &str) -> PathBuf {
    program::source_root().join("tests/c").join(name)
}

/// Compiles a program into the directory of the vault, where every user can run it.
pub fn compile(vault: &Vault, source: &Path, under: Under) -> PathBuf {
    let output = vault.path().join("program");
    let mut command = Command::new("gcc");
    command.args(WARNINGS).args(["-D_GNU_SOURCE", "-O1", "-g", "-pthread"]).arg(source).arg("-o").arg(&output);
    if under == Under::Sanitizers {
        command.args(SANITIZERS);
    }
    succeed(command.args(stage::pkg_config(stage::root(), "/usr", &["--cflags", "--libs"])));
    output
}

/// A command for a compiled program, as `user`, pointed at the vault and at the installed library. It is ended when it
/// hangs.
pub fn command(vault: &Vault, user: User, door: Door, program: &Path, under: Under) -> Command {
    let mut command = user.command(TIMEOUT[0]);
    command.args(&TIMEOUT[1..]);
    if under == Under::Valgrind {
        command.args(VALGRIND);
    }
    command.arg(program);
    command.env("TOKENVAULT_ADDRESS", vault.address_text(door)).env("LD_LIBRARY_PATH", stage::library_directory());
    command
}

/// Runs a command that must succeed.
#[track_caller]
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{}\n{out}{err}", output.status);
    output
}

/// Makes three tests of every program: plain, under valgrind, with sanitizers.
#[macro_export]
macro_rules! under_everything {
    ($($(#[$meta:meta])* fn $name:ident($under:ident) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            fn case($under: Under) $body

            #[test]
            fn plain() {
                case(Under::Plain);
            }

            #[test]
            fn under_valgrind() {
                case(Under::Valgrind);
            }

            #[test]
            fn with_sanitizers() {
                case(Under::Sanitizers);
            }
        }
    )*};
}
