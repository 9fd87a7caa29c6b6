//! Someone listens on the wire to the TPM, or answers in its place.

use std::fs;

use tokenvault_core::port::{SealError, SealedBlob, Sealer};
use tokenvault_tests::proof;

use crate::kit::{Machine, SECRET, assert_opens, error_of, sealer, secret};
use crate::wiretap::Wiretap;

/// TPM 2.0 Library, Part 2, "TPM_CC".
const TPM_CC_START_AUTH_SESSION: u32 = 0x176;
const TPM_CC_LOAD: u32 = 0x157;
const TPM_CC_UNSEAL: u32 = 0x15e;

#[test]
fn a_listener_on_the_wire_hears_no_secret() {
    let machine = Machine::start();
    let wire = Wiretap::before(machine.chip.port());
    let sealer = sealer(&wire.tcti());
    let blob = sealer.seal(&secret()).unwrap();
    assert_opens(sealer.unseal(&blob));
    assert!(wire.heard(&blob.private), "the listener heard neither operation");
    let parts: Vec<&[u8]> = SECRET.chunks(8).chain([&SECRET[..]]).collect();
    let heard = parts.iter().filter(|part| wire.heard(part)).count();
    assert_eq!(heard, 0, "part of the secret was on the wire");
    let (bytes, parts) = (wire.bytes(), parts.len());
    proof("S5", &format!("{bytes} bytes of a seal and an unseal overheard: {heard} of {parts} parts of the secret"));
}

#[test]
fn every_session_is_salted_to_the_root_key() {
    let machine = Machine::start();
    let wire = Wiretap::before(machine.chip.port());
    let sealer = sealer(&wire.tcti());
    let blob = sealer.seal(&secret()).unwrap();
    assert_opens(sealer.unseal(&blob));
    let sessions = wire.commands(TPM_CC_START_AUTH_SESSION);
    assert!(sessions.len() >= 4, "{} sessions for a seal and an unseal", sessions.len());
    for session in sessions {
        // Without a salt, whoever listens can compute the session's key. tpmKey, bind, TPM2B_NONCE, TPM2B_ENCRYPTED_SECRET.
        assert_eq!(session[..4], [0x81, 0x00, 0x00, 0x01]);
        let nonce = usize::from(session[9]);
        assert!(session[10 + nonce + 1] > 32, "the salt is empty");
    }
}

/// The control for the test above: the same ears hear the same secret from a program that does not encrypt.
#[test]
fn the_same_listener_hears_a_secret_sealed_without_encryption() {
    let machine = Machine::start();
    let wire = Wiretap::before(machine.chip.port());
    machine.sealer().seal(&secret()).unwrap();
    fs::write(machine.directory.path().join("secret"), SECRET).unwrap();
    machine.tool(&wire.tcti(), &["create", "-C", "0x81000001", "-i", "secret", "-u", "s.pub", "-r", "s.priv"]);
    assert!(wire.heard(&SECRET));
    proof("S5", &format!("control: a secret sealed without encryption is heard among {} bytes", wire.bytes()));
}

#[test]
fn another_tpm_behind_the_same_address_is_the_wrong_one() {
    let (machine, other) = (Machine::start(), Machine::start());
    let wire = Wiretap::before(machine.chip.port());
    let sealer = sealer(&wire.tcti());
    let blob = sealer.seal(&secret()).unwrap();
    assert_opens(sealer.unseal(&blob));
    let theirs = other.sealer().seal(&secret()).unwrap();
    wire.redirect(other.chip.port());
    let error = error_of(sealer.unseal(&blob));
    assert_eq!(error, SealError::WrongTpm);
    assert!(wire.heard(&theirs.root_key_name), "the other one was not asked");
    proof("S5", &format!("another TPM behind the address: {error:?}"));
}

#[test]
fn a_tpm_that_claims_the_right_name_for_its_own_key_is_the_wrong_one() {
    let (machine, other) = (Machine::start(), Machine::start());
    let blob = machine.sealer().seal(&secret()).unwrap();
    let theirs = other.sealer().seal(&secret()).unwrap();
    let wire = Wiretap::before(other.chip.port());
    wire.lie((theirs.root_key_name, blob.root_key_name.clone()));
    let error = error_of(sealer(&wire.tcti()).unseal(&blob));
    assert_eq!(error, SealError::WrongTpm);
    assert!(wire.heard(&blob.root_key_name), "the lie was not told");
    let shown = wire.commands(TPM_CC_LOAD).len();
    assert_eq!(shown, 0, "the blob was shown to it");
    proof("S5", &format!("a proxy that puts the right name on another key: {error:?}, the blob shown {shown} times"));
}

#[test]
fn a_policy_that_does_not_fit_is_seen_before_the_object_is_used() {
    let machine = Machine::start();
    let wire = Wiretap::before(machine.chip.port());
    let sealer = sealer(&wire.tcti());
    let blob = sealer.seal(&secret()).unwrap();
    let bound = SealedBlob { pcrs: vec![16], ..blob.clone() };
    assert_eq!(error_of(sealer.unseal(&bound)), SealError::PolicyMismatch);
    assert!(wire.commands(TPM_CC_UNSEAL).is_empty(), "a try was made");
    assert_opens(sealer.unseal(&blob));
    assert_eq!(wire.commands(TPM_CC_UNSEAL).len(), 1);
}
