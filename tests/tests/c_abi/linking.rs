//! How programs are linked to the installed library: by its versioned symbols, by its soname, statically, anywhere.

use std::process::Command;

use tokenvault_tests::{ALICE, Door, Vault, stage};

use crate::kit::{self, Under};

fn read_elf(arguments: &[&str], file: &std::path::Path) -> String {
    let output = kit::succeed(Command::new("readelf").arg("-W").args(arguments).arg(file));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_program_needs_the_soname_and_the_version_of_its_symbols() {
    let vault = Vault::builder().prepare();
    let program = kit::compile(&vault, &kit::source("functions.c"), Under::Plain);
    assert!(read_elf(&["-d"], &program).contains("Shared library: [libtokenvault.so.0]"));
    let symbols = read_elf(&["--dyn-syms"], &program);
    for symbol in symbols.split_whitespace().filter(|word| word.starts_with("tokenvault_")) {
        assert!(symbol.ends_with("@TOKENVAULT_0"), "{symbol}");
    }
    assert!(symbols.contains("tokenvault_get@TOKENVAULT_0"), "{symbols}");
}

#[test]
fn a_program_that_is_linked_statically_needs_no_library() {
    let vault = Vault::start();
    let program = vault.path().join("static");
    let mut command = Command::new("gcc");
    command.args(["-static", "-pthread"]).arg(kit::source("functions.c")).arg("-o").arg(&program);
    kit::succeed(command.args(stage::pkg_config(stage::root(), "/usr", &["--static", "--cflags", "--libs"])));
    assert!(!read_elf(&["-d"], &program).contains("NEEDED"));
    let mut run = kit::command(&vault, ALICE, Door::Socket, &program, Under::Plain);
    kit::succeed(run.env_remove("LD_LIBRARY_PATH"));
}

#[test]
fn any_prefix_will_do() {
    let root = tempfile::tempdir().unwrap();
    stage::install(root.path(), "/opt/vault");
    let words = stage::pkg_config(root.path(), "/opt/vault", &["--cflags", "--libs"]);
    let below = |place: &str| format!("{}/opt/vault/{place}", root.path().display());
    assert_eq!(words, [format!("-I{}", below("include")), format!("-L{}", below("lib")), "-ltokenvault".into()]);
    let program = root.path().join("program");
    kit::succeed(Command::new("gcc").arg(kit::source("threads.c")).arg("-o").arg(&program).args(words));
    for place in ["include/tokenvault.h", "lib/libtokenvault.a", "lib/libtokenvault.so", "lib/libtokenvault.so.0"] {
        assert!(std::fs::metadata(below(place)).unwrap().len() > 0, "{place}");
    }
    assert!(!root.path().join("usr").exists(), "nothing is put elsewhere");
}
