//! Where the tests find what `tests/boot/run` has prepared: the packages, and a tree of Debian to boot from.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::machine::Machine;

/// The directory of this run, which `tests/boot/run` makes and takes away.
pub fn directory() -> PathBuf {
    std::env::var_os("TOKENVAULT_BOOT").expect("these tests need a prepared machine; run 'make test-boot'").into()
}

/// A tree of Debian with everything that the packages depend on.
pub fn tree() -> PathBuf {
    directory().join("tree")
}

/// The packages.
pub fn packages() -> Vec<PathBuf> {
    let entries = fs::read_dir(directory().join("packages")).expect("the packages");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a package").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "there are no packages in {}", directory().join("packages").display());
    files
}

/// That tree with the packages installed, on a machine that had no TPM yet: layers, the uppermost first.
pub fn tree_with_packages() -> Vec<PathBuf> {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let mut machine = Machine::boot(vec![tree()], None);
        install(&machine);
        machine.stop();
        machine.keep_changes()
    });
    vec![installed.clone(), tree()]
}

/// Installs the packages as an administrator does who has no network.
pub fn install(machine: &Machine) {
    machine.copy_in(&packages(), "/root/packages");
    machine
        .root("DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends /root/packages/*.deb")
        .succeeds();
}
