//! libtokenvault as a package would have installed it, for everyone to read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::{program, sys};

static ROOT: OnceLock<PathBuf> = OnceLock::new();

/// The root of a tree into which the built library was installed with the prefix `/usr`; gone when the tests end.
pub fn root() -> &'static Path {
    ROOT.get_or_init(|| {
        let root = tempfile::Builder::new()
            .prefix("tokenvault-stage.")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory")
            .keep();
        sys::at_exit(remove);
        install(&root, "/usr");
        root
    })
}

extern "C" fn remove() {
    if let Some(root) = ROOT.get() {
        fs::remove_dir_all(root).ok();
    }
}

/// Installs the built library below `root` with that prefix, by what packages use.
pub fn install(root: &Path, prefix: &str) {
    let install = program::source_root().join("packaging/install");
    let output = Command::new(install)
        .arg("library")
        .env("BUILT", program::cargo_directory())
        .env("DESTDIR", root)
        .env("PREFIX", prefix)
        .output()
        .expect("packaging/install");
    assert!(output.status.success(), "packaging/install: {}", String::from_utf8_lossy(&output.stderr));
}

/// The directory of the installed library.
pub fn library_directory() -> PathBuf {
    root().join("usr/lib")
}

/// What `pkg-config` says about the library installed below `root` with `prefix`: words for a compiler.
pub fn pkg_config(root: &Path, prefix: &str, arguments: &[&str]) -> Vec<String> {
    let output = Command::new("pkg-config")
        .args(arguments)
        .arg("tokenvault")
        .env("PKG_CONFIG_SYSROOT_DIR", root)
        .env("PKG_CONFIG_LIBDIR", format!("{}{prefix}/lib/pkgconfig", root.display()))
        .output()
        .expect("pkg-config (package pkg-config)");
    assert!(output.status.success(), "pkg-config: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}
