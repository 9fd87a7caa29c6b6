//! The header alone: every dialect compiles it, without a warning.

use std::process::Command;

use tokenvault_tests::stage;

use crate::kit;

/// The header twice, and each of its types by value.
const UNIT: &str = "#include <tokenvault.h>
#include <tokenvault.h>
int main(void);
int main(void)
{
    tokenvault_get_options get = {sizeof get, NULL, NULL, NULL, 0};
    return get.size == TOKENVAULT_ERROR_FAILED && tokenvault_version() == NULL;
}
";

#[test]
fn every_dialect_of_c_and_cpp_compiles_the_header() {
    let directory = tempfile::tempdir().unwrap();
    let (c, cpp) = (directory.path().join("unit.c"), directory.path().join("unit.cc"));
    std::fs::write(&c, UNIT).unwrap();
    std::fs::write(&cpp, UNIT).unwrap();
    let dialects = ["c89", "gnu89", "c99", "c11", "c17", "c2x"].map(|standard| ("gcc", standard, &c));
    let dialects =
        dialects.into_iter().chain(["c++98", "c++11", "c++17", "c++20"].map(|standard| ("g++", standard, &cpp)));
    for (compiler, standard, unit) in dialects {
        let program = directory.path().join("program");
        let mut command = Command::new(compiler);
        command.arg(format!("-std={standard}")).args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-Wshadow"]);
        command.args(["-Wconversion", "-Wundef"]).arg(unit).arg("-o").arg(program);
        kit::succeed(command.args(stage::pkg_config(stage::root(), "/usr", &["--cflags", "--libs"])));
    }
}
