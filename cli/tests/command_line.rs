//! The programs as they are built, without a vault: what they refuse, in which words, with which exit status.
#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const TOKENVAULT: &str = env!("CARGO_BIN_EXE_tokenvault");
const TOKENVAULTCTL: &str = env!("CARGO_BIN_EXE_tokenvaultctl");
/// Nobody listens here.
const NOWHERE: &str = "unix:path=/nowhere/tokenvault/bus";

fn command<A: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program);
    command.args(args).env("TOKENVAULT_ADDRESS", NOWHERE).stdin(Stdio::null());
    command
}

fn run<A: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = A>) -> Output {
    command(program, args).output().unwrap()
}

/// The one line of an error.
fn line(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "not one line: {text}");
    assert_eq!(output.stdout, b"", "an error wrote to standard output");
    text.trim_end().to_owned()
}

fn refused<A: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = A>) -> String {
    let output = run(program, args);
    assert_eq!(output.status.code(), Some(2));
    line(&output)
}

#[test]
fn a_value_on_the_command_line_is_refused_with_the_reason_and_not_repeated() {
    for args in [&["put", "name", "hunter2"][..], &["put", "name", "--", "hunter2"], &["put", "name", "-", "hunter2"]] {
        let line = refused(TOKENVAULT, args);
        assert!(line.contains("a value on the command line is seen by every process"), "{line}");
        assert!(!line.contains("hunter2"));
    }
}

#[test]
fn help_names_every_subcommand_and_ends_well() {
    let output = run(TOKENVAULT, ["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for verb in [
        "put",
        "get",
        "generate",
        "list",
        "describe",
        "annotate",
        "mv",
        "rm",
        "versions",
        "rollback",
        "run",
        "status",
        "whoami",
        "completion",
    ] {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}");
        let output = run(TOKENVAULT, [verb, "--help"]);
        assert!(output.status.success() && output.stderr.is_empty(), "{verb}");
    }
    assert!(run(TOKENVAULTCTL, ["slot", "add", "--help"]).status.success());
    assert!(run(TOKENVAULT, ["--version"]).stdout.starts_with(b"tokenvault "));
}

#[test]
fn every_call_to_a_vault_that_is_not_there_says_so_with_exit_status_8() {
    for (program, args) in [
        (TOKENVAULT, &["get", "a"][..]),
        (TOKENVAULT, &["generate", "a"]),
        (TOKENVAULT, &["list"]),
        (TOKENVAULT, &["describe", "a"]),
        (TOKENVAULT, &["annotate", "a", "--expires", "never"]),
        (TOKENVAULT, &["mv", "a", "b"]),
        (TOKENVAULT, &["rm", "a", "--version", "2"]),
        (TOKENVAULT, &["versions", "a"]),
        (TOKENVAULT, &["rollback", "a", "1"]),
        (TOKENVAULT, &["status", "--json"]),
        (TOKENVAULT, &["whoami"]),
        (TOKENVAULTCTL, &["status"]),
        (TOKENVAULTCTL, &["init", "--host-key", "--recovery-out", "/nowhere/key"]),
        (TOKENVAULTCTL, &["slot", "list"]),
        (TOKENVAULTCTL, &["slot", "add", "tpm2"]),
        (TOKENVAULTCTL, &["slot", "remove", "1", "--force"]),
        (TOKENVAULTCTL, &["seal"]),
        (TOKENVAULTCTL, &["unseal"]),
        (TOKENVAULTCTL, &["reload"]),
    ] {
        let output = run(program, args);
        assert_eq!(output.status.code(), Some(8), "{args:?}");
        let line = line(&output);
        assert!(line.contains("; "), "{args:?}: {line}");
    }
}

#[test]
fn the_address_option_wins_over_the_variable() {
    let output = run(TOKENVAULT, ["status", "--address", "unix:path=/elsewhere/bus"]);
    assert_eq!(output.status.code(), Some(8));
    assert!(line(&output).contains("/elsewhere/bus"));
}

/// Most bytes of a value.
const LONGEST: usize = 16 << 20;

/// Runs `tokenvault put` with `input` on standard input.
fn put(args: &[&str], input: &[u8]) -> Output {
    let mut child = command(TOKENVAULT, ["put", "name"].iter().chain(args))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that has seen enough closes its end.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn values_that_cannot_be_stored_are_refused_before_the_vault_is_asked() {
    let too_long = vec![b'x'; LONGEST + 1];
    for (args, input, cause) in [
        (&[][..], &b""[..], "the value is empty"),
        (&["--strip-newline"], b"\n", "the value is empty"),
        (&[], &too_long, "is longer than 16777216 bytes"),
        (&["--from-file", "/dev/zero"], b"", "is longer than 16777216 bytes"),
        (&["--from-file", "/nowhere/file"], b"", "cannot read '/nowhere/file'"),
        (&["--from-file", "/"], b"", "cannot read '/'"),
    ] {
        let output = put(args, input);
        assert_eq!(output.status.code(), Some(2), "{cause}");
        let line = line(&output);
        assert!(line.contains(cause), "{line}");
    }
    let output = put(&["--from-fd", "97"], b"");
    assert!(line(&output).contains("cannot read descriptor 97: Bad file descriptor"));
}

#[test]
fn a_value_that_can_be_stored_reaches_the_vault() {
    assert_eq!(put(&[], b"hunter2\n").status.code(), Some(8));
    assert_eq!(put(&[], &vec![b'x'; LONGEST]).status.code(), Some(8));
    assert_eq!(put(&["--from-fd", "0"], b"hunter2").status.code(), Some(8));
    assert_eq!(put(&["--from-file", "-"], b"hunter2").status.code(), Some(8));
}

#[test]
fn run_without_tokens_becomes_the_command() {
    let output = run(TOKENVAULT, ["run", "--", "sh", "-c", "echo $X; exit 7"]);
    assert_eq!(output.status.code(), Some(7));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("env");
    std::fs::write(&file, "X=plain\n").unwrap();
    let args = [OsStr::new("run"), OsStr::new("--env-file"), file.as_os_str(), OsStr::new("--")];
    let output = run(TOKENVAULT, args.into_iter().chain(["sh", "-c", "echo $X; exit 7"].map(OsStr::new)));
    assert_eq!((output.status.code(), output.stdout), (Some(7), b"plain\n".to_vec()));
}

#[test]
fn run_starts_nothing_when_a_token_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark");
    let args = ["run", "--env", "X=a", "--", "touch"].map(OsStr::new).into_iter().chain([mark.as_os_str()]);
    let output = run(TOKENVAULT, args);
    assert_eq!(output.status.code(), Some(8));
    line(&output);
    assert!(!mark.exists());
}

#[test]
fn run_tells_a_missing_command_from_one_that_cannot_be_started() {
    let missing = run(TOKENVAULT, ["run", "--", "/nowhere/command"]);
    assert_eq!(missing.status.code(), Some(127));
    let directory = run(TOKENVAULT, ["run", "--", "/"]);
    assert_eq!(directory.status.code(), Some(126));
    assert!(line(&missing).starts_with("tokenvault: cannot run '/nowhere/command': "));
}

#[test]
fn a_closed_reader_ends_the_command_without_a_word() {
    // Closed before the command starts: what it writes might all fit into the pipe before a later close.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(TOKENVAULT, ["completion", "bash"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(141), Vec::new()));
}

#[test]
fn a_full_disk_under_standard_output_is_told() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(TOKENVAULT, ["completion", "bash"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(8));
    assert!(line(&output).contains("cannot write to standard output: No space left on device; "));
}

#[test]
fn completions_are_scripts_that_their_shell_accepts() {
    // fish makes its directories there.
    let home = tempfile::tempdir().unwrap();
    for (program, name) in [(TOKENVAULT, "tokenvault"), (TOKENVAULTCTL, "tokenvaultctl")] {
        for shell in ["bash", "zsh", "fish"] {
            let output = run(program, ["completion", shell]);
            assert!(output.status.success());
            let script = String::from_utf8(output.stdout).unwrap();
            assert!(script.contains(name), "{shell}");
            let mut command = Command::new(shell);
            command.args(["-n", "/dev/stdin"]).env("HOME", home.path()).stdin(Stdio::piped());
            let child = command.spawn();
            let mut child = child.unwrap_or_else(|error| panic!("package {shell}: {error}"));
            child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success(), "{shell}");
        }
    }
}

#[test]
fn doctor_fails_where_no_vault_answers_and_names_the_check() {
    let output = run(TOKENVAULTCTL, ["doctor", "--json=short"]);
    assert_eq!((output.status.code(), output.stderr), (Some(1), Vec::new()));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], "tokenvault/1");
    assert_eq!(report["ok"], false);
    let checks = report["checks"].as_array().unwrap();
    let reachable = checks.iter().find(|check| check["check"] == "reachable").unwrap();
    assert_eq!(reachable["result"], "failed");
    assert!(reachable["fix"].as_str().unwrap().starts_with("systemctl "));
    let text = run(TOKENVAULTCTL, ["doctor"]);
    assert!(String::from_utf8(text.stdout).unwrap().starts_with("CHECK "));
    let text = run(TOKENVAULTCTL, ["doctor", "--no-legend"]);
    assert!(String::from_utf8(text.stdout).unwrap().starts_with("reachable "));
}

#[test]
fn config_check_passes_the_verdict_of_the_daemon_on() {
    let check =
        |daemon: &str, json: &[&str]| run(TOKENVAULTCTL, ["config", "check", "--daemon", daemon].iter().chain(json));
    let good = check("/bin/true", &[]);
    assert!(good.status.success());
    let bad = check("/bin/false", &[]);
    assert_eq!(bad.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&check("/bin/false", &["--json"]).stdout).unwrap();
    assert_eq!(json["ok"], false);
    assert!(line(&bad).ends_with("; correct it and check again"));
    let missing = check("/nowhere/tokenvaultd", &[]);
    assert_eq!(missing.status.code(), Some(8));
    assert!(line(&missing).contains("--daemon PATH"));
}

#[test]
fn config_show_names_the_file_and_defuses_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.conf");
    std::fs::write(&file, "bus = \"none\"\n# \u{1b}[2J\n").unwrap();
    let args = ["config", "show", "--config"].map(OsStr::new).into_iter().chain([file.as_os_str()]);
    let output = run(TOKENVAULTCTL, args);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, format!("# {}\nbus = \"none\"\n# \\u{{1b}}[2J\n", file.display()));
}
