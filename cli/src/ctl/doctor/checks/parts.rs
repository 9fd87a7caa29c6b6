//! What the daemon says of its parts: the store, the TPM, the bus, its memory.

use super::super::facts::Answers;
use super::state::next_step;
use super::{Answer, failed, ok};

pub(super) fn store(answers: &Answers) -> Answer {
    match answers.health.store.as_str() {
        "ok" => ok("it can be read and written"),
        why => failed(why, next_step(answers)),
    }
}

/// The TPM answers only when it is asked, so this tells of the last time: opening the vault, or adding a slot.
pub(super) fn tpm(answers: &Answers) -> Answer {
    match (answers.tpm_fault(), answers.health.tpm.as_str()) {
        (Some(fault), _) => failed(fault, mending_the_tpm(fault, answers.status.state == "sealed")),
        (None, "ok") => ok("it answered when it was last asked"),
        (None, "not asked yet") => ok("it was not asked yet"),
        (None, _) => ok("no slot needs one"),
    }
}

/// What to do about an answer of the TPM, by the name it begins with. A sealed vault asks the TPM again by itself.
fn mending_the_tpm(fault: &str, sealed: bool) -> &'static str {
    match fault.split(':').next().unwrap_or_default() {
        "NoTpm" if sealed => {
            "bring the TPM back (device, permissions), it is tried again by itself; or correct 'tcti' in [tpm] and restart \
             tokenvaultd"
        }
        "NoTpm" => {
            "bring the TPM back (device, permissions, 'tcti' in [tpm]), then restart tokenvaultd; keep the recovery key at hand"
        }
        "TpmLockout" if sealed => {
            "wait until the lockout ends, or clear it with the owner's tools; it is tried again by itself"
        }
        "WrongTpm" | "DamagedSlot" => "tokenvaultctl slot add tpm2, then tokenvaultctl slot remove ID for the old one",
        "PolicyMismatch" => "boot the measured system again, or tokenvaultctl slot add tpm2 for this one",
        "TpmLockout" => {
            "wait until the lockout ends, or clear it with the owner's tools; then restart tokenvaultd, with the recovery \
             key at hand"
        }
        _ => "check 'worker' and 'tcti' in [tpm]; journalctl -u tokenvaultd",
    }
}

pub(super) fn bus(answers: &Answers) -> Answer {
    match answers.health.bus.as_str() {
        "ok" => ok("connected"),
        "none" => ok("none is configured"),
        why => failed(why, "systemctl status dbus; journalctl -u tokenvaultd"),
    }
}

pub(super) fn memory(answers: &Answers) -> Answer {
    match answers.health.memory.as_str() {
        "ok" => ok("keys and values in use are kept out of swap"),
        why => failed(why, "systemctl edit tokenvaultd: LimitMEMLOCK="),
    }
}
