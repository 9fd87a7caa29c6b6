//! What works, on a TPM that does.

use tokenvault_core::port::{SealError, SealedBlob, Sealer};
use tokenvault_core::{Secret, port::HeapMemory};

use crate::kit::{Machine, assert_opens, secret};

#[test]
fn what_was_sealed_opens() {
    let machine = Machine::start();
    let sealer = machine.sealer();
    let blob = sealer.seal(&secret()).unwrap();
    assert_opens(sealer.unseal(&blob));
    assert!(blob.pcrs.is_empty(), "no PCRs by default");
}

#[test]
fn the_sealed_object_opens_by_policy_only_on_this_tpm_and_counts_no_tries() {
    let machine = Machine::start();
    let blob = machine.sealer().seal(&secret()).unwrap();
    // TPMT_PUBLIC: type keyedHash, name algorithm SHA-256, fixedTPM | fixedParent | adminWithPolicy | noDA and no other.
    assert_eq!(blob.public[..8], [0x00, 0x08, 0x00, 0x0b, 0x00, 0x00, 0x04, 0x92]);
    // SHA-256 of 32 zeros, TPM_CC_PolicyCommandCode, TPM_CC_Unseal.
    let policy = blob.policy.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(policy, "e613137076524bde487533865884e9732ebee3aacb095d94a6de492ec06c46fa");
    assert_eq!(blob.public[10..42], blob.policy);
}

#[test]
fn two_seals_of_one_secret_differ_and_share_the_root_key() {
    let machine = Machine::start();
    let sealer = machine.sealer();
    let [first, second] = [sealer.seal(&secret()).unwrap(), sealer.seal(&secret()).unwrap()];
    assert_ne!(first.private, second.private);
    assert_eq!(first.root_key_name, second.root_key_name);
    assert_opens(sealer.unseal(&first));
}

#[test]
fn a_blob_survives_a_reboot() {
    let mut machine = Machine::start();
    let blob = machine.sealer().seal(&secret()).unwrap();
    machine.chip.reboot();
    assert_opens(machine.sealer().unseal(&blob));
}

#[test]
fn a_root_key_made_by_another_program_is_adopted() {
    let machine = Machine::start();
    let tcti = machine.chip.tcti();
    let attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt|noda";
    machine.tool(&tcti, &["createprimary", "-C", "o", "-G", "ecc256", "-a", attributes, "-c", "primary.ctx"]);
    machine.tool(&tcti, &["evictcontrol", "-C", "o", "-c", "primary.ctx", "0x81000001"]);
    machine.tool(&tcti, &["flushcontext", "-t"]);
    machine.tool(&tcti, &["readpublic", "-c", "0x81000001", "-n", "name.bin"]);
    let blob = machine.sealer().seal(&secret()).unwrap();
    assert_eq!(blob.root_key_name, std::fs::read(machine.directory.path().join("name.bin")).unwrap());
    assert_opens(machine.sealer().unseal(&blob));
}

#[test]
fn a_root_key_that_counts_power_cuts_is_refused() {
    let machine = Machine::start();
    let tcti = machine.chip.tcti();
    machine.tool(&tcti, &["createprimary", "-C", "o", "-G", "ecc256", "-c", "primary.ctx"]);
    machine.tool(&tcti, &["evictcontrol", "-C", "o", "-c", "primary.ctx", "0x81000001"]);
    machine.tool(&tcti, &["flushcontext", "-t"]);
    let Err(SealError::Failed(text)) = machine.sealer().seal(&secret()) else { panic!("adopted") };
    assert!(text.contains("0x81000001") && text.contains("tpm2_evictcontrol"), "{text}");
}

#[test]
fn status_tells_the_chip_and_its_root_key() {
    let machine = Machine::start();
    let sealer = machine.sealer();
    let before = sealer.status().unwrap();
    assert_eq!(before.manufacturer, "IBM");
    assert!(before.firmware.contains('.'), "{}", before.firmware);
    assert!(before.root_key_name.is_empty() && !before.in_lockout);
    let blob = sealer.seal(&secret()).unwrap();
    assert_eq!(sealer.status().unwrap().root_key_name, blob.root_key_name);
}

#[test]
fn only_secrets_of_32_bytes_are_sealed() {
    let machine = Machine::start();
    let short = Secret::copy_from(&HeapMemory, &[1; 31]).unwrap();
    assert!(matches!(machine.sealer().seal(&short), Err(SealError::Failed(text)) if text.contains("32 bytes")));
}

#[test]
fn failures_leave_no_session_or_object_behind() {
    let machine = Machine::start();
    let sealer = machine.sealer();
    let blob = sealer.seal(&secret()).unwrap();
    // Without a resource manager the chip holds three objects and as few sessions.
    for _ in 0..6 {
        let damaged = SealedBlob { policy: vec![0; 32], ..blob.clone() };
        assert!(sealer.unseal(&damaged).is_err());
        let other_policy = SealedBlob { pcrs: vec![16], ..blob.clone() };
        assert_eq!(sealer.unseal(&other_policy).err(), Some(SealError::PolicyMismatch));
    }
    assert_opens(sealer.unseal(&blob));
}
