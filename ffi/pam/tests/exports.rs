//! What the module exports: the entries libpam looks for and nothing else, none without the boundary; and what it brings into
//! the host. What it does: `tests/tests/pam`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// What readelf says about the built module. Running a test does not build it: no test is linked to it.
fn read_elf(argument: &str) -> String {
    let test = std::env::current_exe().unwrap();
    let module = test.ancestors().nth(2).unwrap().join("libpam_tokenvault.so");
    assert!(module.exists(), "{} is not built; run 'cargo build -p tokenvault-pam' first", module.display());
    let output = Command::new("readelf").args(["-W", argument]).arg(module).output().unwrap();
    assert!(output.status.success(), "readelf: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_entries_are_exported_and_nothing_else() {
    let symbols = read_elf("--dyn-syms");
    let rows = symbols.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let defined = rows.filter(|row| row.len() == 8 && !matches!(row[6], "Ndx" | "UND" | "ABS"));
    let exported: BTreeSet<String> = defined.map(|row| row[7].to_owned()).collect();
    let entries = ["acct_mgmt", "authenticate", "chauthtok", "close_session", "open_session", "setcred"];
    assert_eq!(exported, entries.iter().map(|entry| format!("pam_sm_{entry}")).collect());
}

#[test]
fn libpam_and_the_c_library_are_all_that_comes_along() {
    let dynamic = read_elf("-d");
    let needed = dynamic.lines().filter_map(|line| line.split_once("Shared library: [")).map(|(_, name)| name);
    for name in needed {
        let name = name.trim_end_matches(']');
        assert!(
            ["libpam.so", "libc.so", "libgcc_s.so", "ld-linux"].iter().any(|begin| name.starts_with(begin)),
            "{name} is loaded into the host"
        );
    }
    assert!(!dynamic.contains("RUNPATH") && !dynamic.contains("RPATH"), "{dynamic}");
}

/// Every entry either does nothing or has the boundary around all it does, and answers what the boundary answers.
#[test]
fn every_entry_has_the_panic_boundary_around_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/entry.rs");
    let source = std::fs::read_to_string(source).unwrap();
    let entries: Vec<&str> = source.split("#[unsafe(no_mangle)]").skip(1).collect();
    assert_eq!(entries.len(), 6);
    for entry in entries {
        let body = entry.split("\n}\n").next().unwrap().split_once(" {\n").unwrap().1;
        let last = body.lines().last().unwrap().trim();
        assert!(last == "PAM_IGNORE" || last.starts_with("guest(|| "), "{entry}");
    }
}
