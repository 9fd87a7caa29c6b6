//! A library for programs that see a user database of the tests' own: it has them see what glibc would say of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::{program, sys};

static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

/// The library, where every user can load it. It goes at exit.
pub(crate) fn library() -> PathBuf {
    DIRECTORY.get_or_init(compile).join(NAME)
}

const NAME: &str = "as_glibc.so";

fn compile() -> PathBuf {
    let place = tempfile::Builder::new()
        .prefix("tokenvault-glibc.")
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .expect("a temporary directory")
        .keep();
    let source = program::source_root().join("tests/c/as_glibc.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-O1", "-fPIC", "-shared", "-o"]);
    let status = gcc.arg(place.join(NAME)).arg(&source).arg("-ldl").status().expect("gcc must be installed");
    assert!(status.success(), "{}: {status}", source.display());
    sys::at_exit(remove);
    place
}

extern "C" fn remove() {
    if let Some(place) = DIRECTORY.get() {
        fs::remove_dir_all(place).ok();
    }
}
