//! `tokenvaultctl selftest`, by root and by anybody.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Instant;

use tokenvault_tests::program;

use crate::common::*;
use crate::run::*;

/// The command, as somebody who is known to the machine: it starts a daemon of its own.
fn selftest(arguments: &[&str]) -> Command {
    let mut command = ROOT.command(program::path("tokenvaultctl"));
    command.arg("selftest").args(arguments).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

#[test]
fn the_programs_are_tried_on_a_vault_that_is_thrown_away() {
    let directory = tempfile::tempdir().unwrap();
    let output = selftest(&["--json=short"]).env("TMPDIR", directory.path()).output().unwrap();
    let report = json(&ok(output));
    assert_eq!(report["ok"], true, "{report}");
    let steps: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["start", "make", "keep", "restart", "seal", "encrypted", "stop"]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn what_does_not_work_is_named_and_ends_it() {
    let output = selftest(&["--daemon", "/bin/false", "--json=short"]).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(1), Vec::new()));
    let report = json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(report["ok"], false);
    let steps = report["steps"].as_array().unwrap();
    assert_eq!((steps.len(), steps[0]["step"].as_str(), steps[0]["ok"].as_bool()), (1, Some("start"), Some(false)));
    let (status, line) = failed(selftest(&["--daemon", "/nowhere"]).env("TMPDIR", "/nowhere").output().unwrap());
    assert_eq!(status, 2, "{line}");
}

#[test]
fn a_software_tpm_that_does_not_come_up_is_named_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let swtpm = directory.path().join("swtpm");
    fs::write(&swtpm, "#!/bin/sh\necho 'swtpm: no libtpms here' >&2\nexit 3\n").unwrap();
    fs::set_permissions(&swtpm, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", directory.path().display());
    let begun = Instant::now();
    let (status, line) = failed(selftest(&[]).env("PATH", path).output().unwrap());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(status, 8);
    assert!(
        line.contains("'swtpm' ended with exit status: 3: swtpm: no libtpms here; mend or remove 'swtpm'"),
        "{line}"
    );
}
