//! `libtokenvault` as a C program and as Python use it: built by the machine's compiler against the committed header.

use std::path::PathBuf;
use std::process::{Command, Output};

use tokenvault_tests::program;

use crate::common::*;

/// Compiles a C program of the source tree into the directory of the vault.
fn compile(vault: &Vault, source: &str) -> PathBuf {
    let root = program::source_root();
    let output = vault.path().join("program");
    let status = Command::new("gcc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-g", "-o"])
        .arg(&output)
        .arg(root.join(source))
        .arg("-I")
        .arg(root.join("include"))
        .arg("-L")
        .arg(program::directory())
        .arg("-ltokenvault")
        .status()
        .expect("gcc (package gcc)");
    assert!(status.success(), "{source} does not compile");
    output
}

/// Makes the library findable: a directory of the vault with its names.
fn library_directory(vault: &Vault) -> PathBuf {
    let directory = vault.path().join("lib");
    if !directory.exists() {
        std::fs::create_dir(&directory).unwrap();
        for name in ["libtokenvault.so", "libtokenvault.so.0"] {
            std::os::unix::fs::symlink(program::path("libtokenvault.so"), directory.join(name)).unwrap();
        }
    }
    directory
}

fn run(vault: &Vault, user: User, door: Door, words: &[&str]) -> Output {
    let mut command = user.command(words[0]);
    command
        .args(&words[1..])
        .env("TOKENVAULT_ADDRESS", vault.address_text(door))
        .env("LD_LIBRARY_PATH", library_directory(vault));
    command.output().unwrap()
}

#[track_caller]
fn said(output: Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

through_both_doors! {
    fn a_c_program_gets_a_token(door) {
        let vault = Vault::start();
        vault.client(ALICE, door).put("api/key", b"s3cret", &defaults()).unwrap();
        let get = compile(&vault, "ffi/examples/get.c");
        assert_eq!(said(run(&vault, ALICE, door, &[get.to_str().unwrap(), "api/key"])), "s3cret");
        let output = run(&vault, BOB, door, &[get.to_str().unwrap(), "api/key"]);
        assert_eq!(output.status.code(), Some(ErrorCode::NotFound.number()));
        assert!(String::from_utf8_lossy(&output.stderr).contains("no such token"));
        assert!(output.stdout.is_empty());
    }

    fn the_main_cases_work_through_c(door) {
        let vault = Vault::start();
        let program = compile(&vault, "tests/c/behaviour.c");
        assert_eq!(said(run(&vault, ALICE, door, &[program.to_str().unwrap()])), "ok\n");
    }

    fn python_gets_a_token(door) {
        let vault = Vault::start();
        vault.client(ALICE, door).put("api/key", b"s3cret", &defaults()).unwrap();
        let script = program::source_root().join("ffi/examples/get.py");
        // Copied, since not every user can enter a directory where a source tree lies.
        let copy = vault.path().join("get.py");
        std::fs::copy(script, &copy).unwrap();
        assert_eq!(said(run(&vault, ALICE, door, &["/usr/bin/python3", copy.to_str().unwrap(), "api/key"])), "s3cret");
    }
}

#[test]
fn the_c_program_is_clean_under_valgrind() {
    let vault = Vault::start();
    let program = compile(&vault, "tests/c/behaviour.c");
    let valgrind = ["/usr/bin/valgrind", "-q", "--error-exitcode=99", "--leak-check=full"];
    // "Possibly lost" is what Rust's own library keeps for a thread by a pointer into its middle.
    let words = [&valgrind[..], &["--errors-for-leak-kinds=definite,indirect", program.to_str().unwrap()]].concat();
    assert_eq!(said(run(&vault, ALICE, Door::Socket, &words)), "ok\n");
}
