//! The TPM is cleared, replaced, locked, gone or cut off, or the blob is damaged: each has its own answer.

use std::io::{Read, Write};
use std::time::Instant;

use tokenvault_core::port::{SealError, SealedBlob, Sealer};
use tokenvault_tests::proof;
use tokenvault_tests::swtpm::Swtpm;
use tokenvault_tpm::{MAX_MESSAGE, Operation, PREFIX, Request, Response};

use crate::kit::{Machine, SECRET, assert_opens, error_of, flipped, sealer, secret, spawn_worker};

#[test]
fn a_cleared_tpm_is_the_wrong_one() {
    let machine = Machine::start();
    let blob = machine.sealer().seal(&secret()).unwrap();
    machine.chip.clear();
    assert_eq!(error_of(machine.sealer().unseal(&blob)), SealError::WrongTpm);
    // With a root key again, it is still another one.
    machine.sealer().seal(&secret()).unwrap();
    assert_eq!(error_of(machine.sealer().unseal(&blob)), SealError::WrongTpm);
}

#[test]
fn a_replaced_tpm_is_the_wrong_one() {
    let mut machine = Machine::start();
    let blob = machine.sealer().seal(&secret()).unwrap();
    machine.chip.wipe();
    assert_eq!(error_of(machine.sealer().unseal(&blob)), SealError::WrongTpm);
    machine.sealer().seal(&secret()).unwrap();
    assert_eq!(error_of(machine.sealer().unseal(&blob)), SealError::WrongTpm);
}

#[test]
fn lockout_is_told_and_does_not_reach_the_vault() {
    let machine = Machine::start();
    let sealer = machine.sealer();
    let blob = sealer.seal(&secret()).unwrap();
    machine.chip.lock_out();
    assert!(sealer.status().unwrap().in_lockout);
    let begun = Instant::now();
    assert_opens(sealer.unseal(&blob));
    sealer.seal(&secret()).unwrap();
    proof("S6", &format!("a chip in lockout unseals and seals all the same in {:.1} s", begun.elapsed().as_secs_f64()));
}

#[test]
fn five_power_cuts_in_a_row_do_not_lock_the_vault() {
    let mut machine = Machine::start();
    let sealer = machine.sealer();
    let blob = sealer.seal(&secret()).unwrap();
    for _ in 0..5 {
        assert_opens(sealer.unseal(&blob));
        machine.chip.cut();
        machine.chip.start();
    }
    assert_opens(sealer.unseal(&blob));
    assert!(!sealer.status().unwrap().in_lockout);
}

#[test]
fn a_tpm_that_goes_away_is_missed_and_found_again() {
    let mut machine = Machine::start();
    let sealer = machine.sealer();
    let blob = sealer.seal(&secret()).unwrap();
    machine.chip.cut();
    let SealError::NoTpm(text) = error_of(sealer.unseal(&blob)) else { panic!("not NoTpm") };
    assert!(text.contains("127.0.0.1") && text.contains(&machine.chip.port().to_string()), "{text}");
    machine.chip.start();
    assert_opens(sealer.unseal(&blob));
}

#[test]
fn a_machine_without_tpm_says_which_device_is_missing() {
    let SealError::NoTpm(text) = sealer("device:/dev/no-such-tpm").status().unwrap_err() else { panic!("not NoTpm") };
    assert!(text.contains("/dev/no-such-tpm"), "{text}");
}

#[test]
fn a_way_to_no_tpm_is_refused_with_the_forms_that_lead_to_one() {
    let directory = tempfile::tempdir().unwrap();
    let chip = Swtpm::reserve(directory.path());
    for tcti in ["swtpm:path=/run/tpm.sock", "", "mssim:host=127.0.0.1,port=1", "device:tpm0"] {
        let SealError::Failed(text) = sealer(tcti).status().unwrap_err() else { panic!("{tcti} was accepted") };
        assert!(text.contains("device:/dev/tpmrm0") || text.contains("swtpm:host="), "{text}");
    }
    assert!(matches!(sealer(&chip.tcti()).status(), Err(SealError::NoTpm(_))), "a chip that is off");
}

#[test]
fn every_damaged_part_of_a_blob_is_found() {
    let machine = Machine::start();
    let sealer = machine.sealer();
    let blob = sealer.seal(&secret()).unwrap();
    let parts: [fn(&mut SealedBlob) -> &mut Vec<u8>; 3] = [|b| &mut b.public, |b| &mut b.private, |b| &mut b.policy];
    for (number, part) in parts.into_iter().enumerate() {
        for step in 0..12 {
            let error = error_of(sealer.unseal(&flipped(&blob, part, step * 97 + number)));
            assert_eq!(error, SealError::DamagedBlob, "part {number}, step {step}");
        }
        for len in [0, 1, part(&mut blob.clone()).len() - 1] {
            let mut cut = blob.clone();
            part(&mut cut).truncate(len);
            assert_eq!(error_of(sealer.unseal(&cut)), SealError::DamagedBlob, "part {number} cut to {len}");
            let mut long = blob.clone();
            part(&mut long).resize(5000 + len, 0);
            assert_eq!(error_of(sealer.unseal(&long)), SealError::DamagedBlob, "part {number} too long");
        }
    }
    assert_eq!(error_of(sealer.unseal(&SealedBlob { pcrs: vec![99], ..blob.clone() })), SealError::DamagedBlob);
    assert_opens(sealer.unseal(&blob));
}

#[test]
fn a_blob_bound_to_a_pcr_opens_only_in_that_state() {
    let mut machine = Machine::start();
    let sealer = machine.sealer();
    let blob = seal_to_pcrs(&machine, &[7, 16]);
    assert_eq!(blob.pcrs, [7, 16]);
    assert_opens(sealer.unseal(&blob));
    machine.chip.extend_pcr(16);
    for _ in 0..5 {
        assert_eq!(error_of(sealer.unseal(&blob)), SealError::PolicyMismatch);
    }
    assert!(!sealer.status().unwrap().in_lockout, "a changed PCR must cost no try");
    machine.chip.reboot();
    assert_opens(sealer.unseal(&blob));
}

/// The daemon asks for no PCRs; the format has room for them.
fn seal_to_pcrs(machine: &Machine, pcrs: &[u8]) -> SealedBlob {
    let (mut child, mut socket) = spawn_worker();
    let mut message = [0; MAX_MESSAGE];
    let tcti = machine.chip.tcti();
    let len = Request { tcti: &tcti, operation: Operation::Seal { secret: &SECRET, pcrs } }.encode(&mut message);
    socket.write_all(&message[..len.unwrap()]).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    assert!(child.wait().unwrap().success());
    match Response::decode(&answer[PREFIX..]) {
        Ok(Response::Sealed(blob)) => blob,
        Ok(Response::Failed(error)) => panic!("{error}"),
        _ => panic!("no answer to the question"),
    }
}
