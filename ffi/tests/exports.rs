//! What the library exports: the functions of the header and nothing else, each with its version, none without the boundary.
//! What they do: `tests/tests/c_abi`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What a program says about the built library. Running a test does not build it: no test is linked to it.
fn ask_about_library(program: &str, arguments: &[&str]) -> String {
    let test = std::env::current_exe().unwrap();
    let library = test.ancestors().nth(2).unwrap().join("libtokenvault.so");
    assert!(library.exists(), "{} is not built; run 'cargo build -p tokenvault-ffi' first", library.display());
    let output = Command::new(program).args(arguments).arg(library).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The functions that the header declares.
fn declared() -> BTreeSet<String> {
    let header = std::fs::read_to_string(source("../include/tokenvault.h")).unwrap();
    let code = header.lines().filter(|line| !line.starts_with(" *"));
    let names = code.filter_map(|line| line.split_once('(')).filter_map(|(before, _)| before.rsplit([' ', '*']).next());
    let declared: BTreeSet<String> = names.filter(|name| name.starts_with("tokenvault_")).map(Into::into).collect();
    assert!(declared.contains("tokenvault_get"), "{declared:?}");
    declared
}

#[test]
fn exactly_the_functions_of_the_header_are_exported_each_with_its_version() {
    let symbols = ask_about_library("readelf", &["-W", "--dyn-syms"]);
    let rows = symbols.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // GNU ld exports the name of the version too, as the value of nothing.
    let defined = rows.filter(|row| row.len() == 8 && !matches!(row[6], "Ndx" | "UND" | "ABS"));
    let exported: BTreeSet<String> = defined.map(|row| row[7].to_owned()).collect();
    let expected: BTreeSet<String> = declared().iter().map(|name| format!("{name}@@TOKENVAULT_0")).collect();
    assert_eq!(exported, expected);
}

#[test]
fn the_map_of_versions_names_the_functions_of_the_header() {
    let map = std::fs::read_to_string(source("libtokenvault.map")).unwrap();
    let lines = map.lines().map(str::trim).filter(|line| line.starts_with("tokenvault_"));
    let mapped: Vec<String> = lines.map(|line| line.trim_end_matches(';').to_owned()).collect();
    let expected: Vec<String> = declared().into_iter().collect();
    assert_eq!(mapped, expected, "in the order of the alphabet");
}

/// Every export of the sources, with what follows up to the next.
fn exports() -> Vec<String> {
    let files = std::fs::read_dir(source("src")).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.map(|file| std::fs::read_to_string(file).unwrap());
    let pieces = texts.flat_map(|text| text.split("#[unsafe(no_mangle)]").skip(1).map(Into::into).collect::<Vec<_>>());
    pieces.collect()
}

#[test]
fn every_export_has_the_panic_boundary_around_it() {
    let boundaries = [
        "answer(",
        "ask(",
        "boundary::call(",
        "client::call(",
        "tokenvault_delete_with(client",
        "tokenvault_unshare_with(client",
    ];
    let exports = exports();
    assert_eq!(exports.len(), declared().len());
    for export in exports {
        let function = export.split("\n}\n").next().unwrap();
        let body = function.split_once(" {\n").unwrap().1;
        assert!(boundaries.iter().any(|boundary| body.contains(boundary)), "{function}");
    }
}

#[test]
fn the_library_has_its_soname() {
    let dynamic = ask_about_library("readelf", &["-dW"]);
    assert!(dynamic.contains("soname: [libtokenvault.so.0]"), "{dynamic}");
}
