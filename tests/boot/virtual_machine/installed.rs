//! A disk on which the packages were installed, by a machine with a TPM that was then switched off.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::VirtualMachine;
use crate::common::ALICE;
use crate::site;

/// Where root keeps the recovery key there.
pub const RECOVERY_KEY: &str = "/root/recovery-key";
/// What alice has stored there.
pub const TOKEN: (&str, &str) = ("api/key", "kept by a chip");

static INSTALLED: OnceLock<PathBuf> = OnceLock::new();

/// A machine with that disk and that TPM, just booted.
pub fn boot() -> VirtualMachine {
    let installed = INSTALLED.get_or_init(install);
    VirtualMachine::boot(&installed.join("disk"), Some(&installed.join("tpm")))
}

fn install() -> PathBuf {
    let mut machine = VirtualMachine::boot(&site::directory().join("image/disk"), None);
    for package in site::packages() {
        machine.copy_in(&package, "/root/packages");
    }
    let apt = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install /root/packages/*.deb";
    machine.root(apt).succeeds();
    machine.wait_for("serving");
    machine.root(&format!("tokenvaultctl init --recovery-out {RECOVERY_KEY} --confirm-from {RECOVERY_KEY}")).succeeds();
    machine.user_reading(ALICE, TOKEN.1, &format!("tokenvault put {}", TOKEN.0)).succeeds();
    machine.stop();
    machine.keep()
}
