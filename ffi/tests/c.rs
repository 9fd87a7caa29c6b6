//! The library as programs in C see it: header, exported names, soname, and a program that does its worst.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../../service/client/tests/common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The built library. Running a test does not build it: no test is linked to it.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let library = test.ancestors().nth(2).unwrap().join("libtokenvault.so");
    assert!(library.exists(), "{} is not built; run 'cargo build -p tokenvault-ffi' first", library.display());
    library
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn text(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap()
}

/// A directory with the library under the names that the linker and the loader look for.
fn library_directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["libtokenvault.so", "libtokenvault.so.0"] {
        std::os::unix::fs::symlink(library(), directory.path().join(name)).unwrap();
    }
    directory
}

/// Compiles a program against the header and the library.
fn compile(program: &str, directory: &Path) -> PathBuf {
    let built = directory.join("program");
    let mut command = Command::new("cc");
    command.args(["-std=c89", "-pedantic", "-Wall", "-Wextra", "-Werror", "-g", "-I"]).arg(source("../include"));
    run(command.arg(source(program)).arg("-L").arg(directory).args(["-ltokenvault", "-o"]).arg(&built));
    built
}

#[test]
fn the_header_is_clean_c89_and_cpp() {
    let directory = tempfile::tempdir().unwrap();
    for (compiler, standard, name) in [("cc", "c89", "x.c"), ("cc", "c17", "x.c"), ("c++", "c++98", "x.cc")] {
        let unit = directory.path().join(name);
        std::fs::write(&unit, "#include <tokenvault.h>\n#include <tokenvault.h>\n").unwrap();
        let mut command = Command::new(compiler);
        command.arg(format!("-std={standard}")).args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]);
        run(command.arg("-I").arg(source("../include")).arg(unit));
    }
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
    let symbols = text(Command::new("readelf").args(["-W", "--dyn-syms"]).arg(library()));
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
    let boundaries = ["answer(", "ask(", "boundary::call(", "client::call(", "tokenvault_delete_with(client"];
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
    let dynamic = text(Command::new("readelf").arg("-dW").arg(library()));
    assert!(dynamic.contains("soname: [libtokenvault.so.0]"), "{dynamic}");
}

#[test]
fn a_c_program_is_refused_politely_and_served_without_a_leak() {
    let directory = library_directory();
    let program = compile("tests/abuse.c", directory.path());
    let server = common::Server::start(directory.path());
    let common_environment = |command: &mut Command| {
        let door = directory.path().join("bus");
        command.env("LD_LIBRARY_PATH", directory.path());
        command.env("TOKENVAULT_ADDRESS", format!("unix:path={}", door.display()));
        run(command);
    };
    common_environment(&mut Command::new(&program));
    let mut checked = Command::new("valgrind");
    checked.args(["-q", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=9"]);
    common_environment(checked.arg(&program));
    drop(server);
}

#[test]
fn the_example_writes_the_token() {
    let directory = library_directory();
    let program = compile("examples/get.c", directory.path());
    let server = common::Server::start(directory.path());
    let address = format!("unix:path={}", directory.path().join("bus").display());
    let mut python = Command::new("python3");
    python.arg(source("examples/get.py"));
    for mut command in [Command::new(program), python] {
        command.env("LD_LIBRARY_PATH", directory.path()).env("TOKENVAULT_ADDRESS", &address);
        assert_eq!(text(command.arg("any")), "value");
        let failed = command.arg("more").env("TOKENVAULT_ADDRESS", "unix:path=/nonexistent").output().unwrap();
        assert_eq!(failed.status.code(), Some(11));
        assert!(String::from_utf8_lossy(&failed.stderr).contains("/nonexistent"), "{failed:?}");
    }
    drop(server);
}
