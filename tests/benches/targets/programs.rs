//! The C programs of tests/bench, built by the machine's compiler where every user can run them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use tokenvault_tests::{program, stage};

/// The built programs; gone when this is dropped.
pub struct Programs {
    directory: TempDir,
}

impl Programs {
    /// Builds all of them; that of the keyring only where libsecret is.
    pub fn build() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("tokenvault-bench.")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory");
        let programs = Self { directory };
        let mut vault = stage::pkg_config(stage::root(), "/usr", &["--cflags", "--libs"]);
        vault.push(format!("-Wl,-rpath,{}", stage::library_directory().display()));
        let bus = package("libsystemd").expect("libsystemd (package libsystemd-dev)");
        for (name, flags) in
            [("vault", &vault), ("open", &vault), ("dbus", &bus), ("socket", &vec![]), ("process", &vec![])]
        {
            programs.compile(name, flags);
        }
        if let Some(secret) = package("libsecret-1") {
            programs.compile("keyring", &secret);
        }
        programs
    }

    /// Where a program is; whether it is there is another question.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn compile(&self, name: &str, flags: &[String]) {
        let sources = program::source_root().join("tests/bench");
        let status = Command::new("cc")
            .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
            .arg(self.path(name))
            .args([sources.join(format!("{name}.c")), sources.join("load.c")])
            .args(flags)
            .status()
            .expect("cc (package gcc)");
        assert!(status.success(), "tests/bench/{name}.c does not compile");
    }
}

/// What `pkg-config` says of a package of the system.
fn package(name: &str) -> Option<Vec<String>> {
    let output = Command::new("pkg-config").args(["--cflags", "--libs", name]).output().expect("pkg-config");
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.split_whitespace().map(str::to_owned).collect())
}
