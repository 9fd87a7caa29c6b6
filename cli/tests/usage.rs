//! Command lines that are wrong: one line says what is wrong and what is taken, and the exit status is that of InvalidArgs.
#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

use std::any::TypeId;
use std::process::{Command, Stdio};

const TOKENVAULT: &str = env!("CARGO_BIN_EXE_tokenvault");
const TOKENVAULTCTL: &str = env!("CARGO_BIN_EXE_tokenvaultctl");
const INVALID_ARGS: Option<i32> = Some(2);

/// Runs a refused command line; what its one line says after the name of the program.
fn refused(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .env("TOKENVAULT_ADDRESS", "unix:path=/nowhere/tokenvault/bus")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), INVALID_ARGS, "{args:?}: {text}");
    assert_eq!((text.lines().count(), output.stdout.as_slice()), (1, &b""[..]), "{args:?}: {text}");
    let name = if program == TOKENVAULT { "tokenvault: " } else { "tokenvaultctl: " };
    text.trim_end().strip_prefix(name).unwrap().to_owned()
}

const VERSION: &str = "write one that 'tokenvault versions NAME' shows";
const KEPT: &str = "write how many versions to keep";
const DURATION: &str = "write a number and its unit, as in 90s, 15m, 12h, 30d, 2w";
const TIME: &str = "write 2026-12-31T23:59:00Z, '2026-12-31 23:59', 2026-12-31 or @SECONDS since 1970";
const DESCRIPTOR: &str = "write the number of an open one";
const SLOT: &str = "write one that 'tokenvaultctl slot list' shows";
const ATTEMPTS: &str = "write how many wrong codes may be tried";
const BOOLEAN: &str = "write true or false";

/// Every option and operand that is a number, a duration, a time or a truth: where it stands, how it is named in the
/// refusal, and what is taken. The word stands at the end of the arguments.
const VALUES: [(&str, &[&str], &str, &str); 53] = [
    (TOKENVAULT, &["put", "a", "--ttl"], "--ttl", DURATION),
    (TOKENVAULT, &["put", "a", "--expires"], "--expires", TIME),
    (TOKENVAULT, &["put", "a", "--keep-versions"], "--keep-versions", KEPT),
    (TOKENVAULT, &["put", "a", "--expect-version"], "--expect-version", "or 0 for a token that is not there"),
    (TOKENVAULT, &["put", "a", "--from-fd"], "--from-fd", DESCRIPTOR),
    (TOKENVAULT, &["put", "a", "--require-purpose="], "--require-purpose", BOOLEAN),
    (TOKENVAULT, &["generate", "a", "--length"], "--length", "write how many characters to make"),
    (TOKENVAULT, &["generate", "a", "--ttl"], "--ttl", DURATION),
    (TOKENVAULT, &["generate", "a", "--expires"], "--expires", TIME),
    (TOKENVAULT, &["generate", "a", "--keep-versions"], "--keep-versions", KEPT),
    (TOKENVAULT, &["generate", "a", "--expect-version"], "--expect-version", "write the current one"),
    (TOKENVAULT, &["generate", "a", "--require-purpose="], "--require-purpose", BOOLEAN),
    (TOKENVAULT, &["get", "a", "--version"], "--version", VERSION),
    (TOKENVAULT, &["get", "a", "--version-number"], "--version", VERSION),
    (TOKENVAULT, &["rm", "a", "--version"], "--version", VERSION),
    (TOKENVAULT, &["rollback", "a"], "VERSION", VERSION),
    (TOKENVAULT, &["list", "--limit"], "--limit", "write how many to list"),
    (TOKENVAULT, &["list", "--expires-before"], "--expires-before", "or a duration such as 30d"),
    (TOKENVAULT, &["share", "a", "unit:b.service", "--expires"], "--expires", "or a duration such as 30d"),
    (TOKENVAULT, &["share", "a", "unit:b.service", "--uses"], "--uses", "write how often it may be used"),
    (TOKENVAULT, &["offer", "a", "--ttl"], "--ttl", DURATION),
    (TOKENVAULT, &["offer", "a", "--attempts"], "--attempts", ATTEMPTS),
    (TOKENVAULT, &["redeem", "--from-fd"], "--from-fd", DESCRIPTOR),
    (TOKENVAULT, &["issue", "--ttl"], "--ttl", DURATION),
    (TOKENVAULT, &["issue", "--uses"], "--uses", "write how often it may be used"),
    (TOKENVAULT, &["issue", "--length"], "--length", "write how many digits to make"),
    (TOKENVAULT, &["issue", "--attempts"], "--attempts", ATTEMPTS),
    (TOKENVAULT, &["validate", "--from-fd"], "--from-fd", DESCRIPTOR),
    (TOKENVAULT, &["fetches", "a", "--limit"], "--limit", "write how many records to list"),
    (TOKENVAULT, &["issued", "--limit"], "--limit", "write how many to list"),
    (TOKENVAULT, &["annotate", "a", "--expires"], "--expires", ", or never"),
    (TOKENVAULT, &["annotate", "a", "--keep-versions"], "--keep-versions", KEPT),
    (TOKENVAULT, &["annotate", "a", "--require-purpose="], "--require-purpose", BOOLEAN),
    (TOKENVAULT, &["unlock", "--password-fd"], "--password-fd", DESCRIPTOR),
    (TOKENVAULT, &["unlock", "--old-password-fd"], "--old-password-fd", DESCRIPTOR),
    (TOKENVAULTCTL, &["init", "--passphrase-fd"], "--passphrase-fd", DESCRIPTOR),
    (TOKENVAULTCTL, &["slot", "add", "passphrase", "--passphrase-fd"], "--passphrase-fd", DESCRIPTOR),
    (TOKENVAULTCTL, &["slot", "remove"], "ID", SLOT),
    (TOKENVAULTCTL, &["unseal", "--passphrase-fd"], "--passphrase-fd", DESCRIPTOR),
    (TOKENVAULTCTL, &["unseal", "--slot"], "--slot", SLOT),
    (TOKENVAULTCTL, &["audit", "list", "--uid"], "--uid", "write a uid"),
    (TOKENVAULTCTL, &["audit", "list", "--since"], "--since", ", or how long ago, such as 2h"),
    (TOKENVAULTCTL, &["audit", "list", "--until"], "--until", ", or how long ago, such as 2h"),
    (TOKENVAULTCTL, &["audit", "list", "--limit"], "--limit", "write how many records to list"),
    (TOKENVAULTCTL, &["audit", "export", "--uid"], "--uid", "write a uid"),
    (TOKENVAULTCTL, &["audit", "export", "--since"], "--since", ", or how long ago, such as 2h"),
    (TOKENVAULTCTL, &["audit", "export", "--until"], "--until", ", or how long ago, such as 2h"),
    (TOKENVAULTCTL, &["backup", "create", "--into", "/tmp", "--keep"], "--keep", "write how many backups to keep"),
    (TOKENVAULTCTL, &["rotate", "slot"], "ID", SLOT),
    (TOKENVAULTCTL, &["audit", "verify", "--against"], "--against", "the 64 hex digits that the journal has"),
    (TOKENVAULTCTL, &["user", "set", "alice", "--quota-tokens"], "--quota-tokens", "'off' or 'default'"),
    (TOKENVAULTCTL, &["user", "set", "alice", "--quota-bytes"], "--quota-bytes", "'off' or 'default'"),
    (TOKENVAULTCTL, &["status", "--json="], "--json", "write off, short or pretty"),
];

#[test]
fn a_malformed_value_is_named_with_what_is_taken_instead() {
    for (program, args, name, accepted) in VALUES {
        for word in ["5q", "abc", "1.5", "99999999999999999999", "-1"] {
            let (last, before) = args.split_last().unwrap();
            let joined = format!("{last}{word}");
            let mut args = before.to_vec();
            args.extend(if last.ends_with('=') { vec![joined.as_str()] } else { vec![*last, word] });
            let line = refused(program, &args);
            assert!(line.starts_with(&format!("{name}: '{word}' ")), "{args:?}: {line}");
            let (_, next) = line.split_once("; ").unwrap();
            assert!(next.contains(accepted), "{args:?}: {line}");
        }
    }
}

/// Whether VALUES has this option or operand of the subcommand.
fn is_listed(program: &str, path: &[&str], name: &str) -> bool {
    VALUES.iter().any(|(listed, args, shown, _)| {
        *listed == program && args.starts_with(path) && shown.trim_start_matches("--") == name
    })
}

/// Walks the subcommands; what is parsed and not in VALUES.
fn unlisted(program: &str, command: &clap::Command, path: &[&str], missing: &mut Vec<String>) {
    let parsed = [TypeId::of::<u64>(), TypeId::of::<u32>(), TypeId::of::<i32>(), TypeId::of::<bool>()];
    for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
        let name = arg.get_long().map_or_else(|| arg.get_id().as_str().to_uppercase(), str::to_owned);
        if parsed.iter().any(|parsed| arg.get_value_parser().type_id() == *parsed) && !is_listed(program, path, &name) {
            missing.push(format!("{} {name}", path.join(" ")));
        }
    }
    for subcommand in command.get_subcommands() {
        unlisted(program, subcommand, &[path, &[subcommand.get_name()]].concat(), missing);
    }
}

#[test]
fn every_number_duration_time_and_truth_of_both_programs_is_in_that_list() {
    let mut missing = Vec::new();
    unlisted(TOKENVAULT, &tokenvault_cli::tokenvault::command(), &[], &mut missing);
    unlisted(TOKENVAULTCTL, &tokenvault_cli::ctl::command(), &[], &mut missing);
    assert!(missing.is_empty(), "add to VALUES: {missing:?}");
}

#[test]
fn every_misuse_is_one_line_with_a_next_step() {
    let cases: [(&str, &[&str]); 35] = [
        (TOKENVAULT, &[]),
        (TOKENVAULT, &["frobnicate"]),
        (TOKENVAULT, &["put"]),
        (TOKENVAULT, &["get", "a", "--nonsense"]),
        (TOKENVAULT, &["put", "a", "--ttl"]),
        (TOKENVAULT, &["put", "a", "--ttl", "1h", "--expires", "2030-01-01"]),
        (TOKENVAULT, &["put", "a", "--attribute", "x"]),
        (TOKENVAULT, &["put", "a", "--attribute", "x=1", "--attribute", "x=2"]),
        (TOKENVAULT, &["put", "a", "--mode", "append"]),
        (TOKENVAULT, &["annotate", "a"]),
        (TOKENVAULT, &["list", "--limit", "0"]),
        (TOKENVAULT, &["list", "--limit", "--json"]),
        (TOKENVAULT, &["list", "--json=yaml"]),
        (TOKENVAULT, &["list", "--address", "/run/x"]),
        (TOKENVAULT, &["run", "--env", "1X=a", "--", "true"]),
        (TOKENVAULT, &["run", "--env", "X=a"]),
        (TOKENVAULT, &["run", "--env", "X=a", "--file", "X=b", "--", "true"]),
        (TOKENVAULT, &["share", "a", "unit:b.service", "--permission", "own"]),
        (TOKENVAULT, &["completion", "powershell"]),
        (TOKENVAULT, &["issue", "--kind", "offer"]),
        (TOKENVAULT, &["issue", "--claim", "x"]),
        (TOKENVAULT, &["validate", "tvt_on_the_command_line"]),
        (TOKENVAULT, &["redeem", "0000-0000-0000-0000"]),
        (TOKENVAULT, &["revoke"]),
        (TOKENVAULT, &["revoke", "a", "--kind", "code"]),
        (TOKENVAULTCTL, &[]),
        (TOKENVAULTCTL, &["slot"]),
        (TOKENVAULTCTL, &["slot", "add", "floppy"]),
        (TOKENVAULTCTL, &["slot", "add", "tpm2", "--passphrase-fd", "3"]),
        (TOKENVAULTCTL, &["slot", "remove", "first"]),
        (TOKENVAULTCTL, &["init", "--host-key", "--passphrase"]),
        (TOKENVAULTCTL, &["unseal", "--recovery", "--passphrase"]),
        (TOKENVAULTCTL, &["unseal", "--from-file", "x"]),
        (TOKENVAULTCTL, &["slot", "add", "recovery", "--confirm-from", "x"]),
        (TOKENVAULTCTL, &["config", "show", "x"]),
    ];
    for (program, args) in cases {
        let line = refused(program, args);
        assert!(line.contains("; "), "{args:?}: {line}");
    }
}

#[test]
fn what_is_missing_is_named_with_the_help_of_the_subcommand() {
    assert_eq!(refused(TOKENVAULT, &["mv"]), "FROM, TO are missing; see 'tokenvault mv --help'");
    assert_eq!(refused(TOKENVAULT, &["run"]), "COMMAND is missing; see 'tokenvault run --help'");
    assert_eq!(refused(TOKENVAULTCTL, &["slot", "add"]), "KIND is missing; see 'tokenvaultctl slot add --help'");
    assert_eq!(refused(TOKENVAULT, &["list", "--limit"]), "--limit needs a value; see 'tokenvault list --help'");
    let unknown = refused(TOKENVAULT, &["get", "a", "--nonsense"]);
    assert_eq!(unknown, "unexpected argument '--nonsense' found; see 'tokenvault get --help'");
}
