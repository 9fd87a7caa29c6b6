//! A vault that is not open: what it answers, what it says of itself, and what it has let go of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokenvault_core::owner::Owner;
use tokenvault_core::port::{HeapMemory, SealError, SecretBuffer, SecretMemory, SecretMemoryExhausted};
use tokenvault_core::slot::SlotKind;
use tokenvault_core::token::Annotation;
use tokenvault_core::vault::{Event, HostKey, NewSlot, SealReason, State, daemon};

use crate::fixture::*;

fn assert_every_data_call_answers(home: &Home, expected: Refused) {
    for user in [home.alice(), home.bob().of(Owner::Uid(ALICE)), home.root().of(Owner::Machine)] {
        let answers = [
            answer(user.get("t")).map(drop),
            answer(user.describe("t")).map(drop),
            answer(user.versions("t")).map(drop),
            answer(user.list()).map(drop),
            answer(user.usage()).map(drop),
            answer(user.put("t", b"1")).map(drop),
            answer(user.generate("t", b"1")).map(drop),
            answer(user.rollback("t", 1)).map(drop),
            answer(user.annotate("t", Annotation::default())),
            answer(user.rename("t", "u")),
            answer(user.delete("t")),
            answer(home.vault().verify_audit(None, &Unwatched)).map(drop),
            answer(home.vault().add_slot(&user.caller, &NewSlot::HostKey(&key(&HOST_KEY)))).map(drop),
            answer(home.vault().remove_slot(&user.caller, 1, true)),
            answer(home.vault().confirm_recovery(&user.caller, &key(&[1; 32]))),
            answer(home.vault().seal(&user.caller)),
        ];
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer, Err(expected), "call {number}");
        }
    }
}

#[test]
fn a_store_without_a_vault_says_so_and_answers_sealed() {
    let home = Home::bare();
    let status = home.vault().status();
    assert_eq!((status.state, status.reason.as_str()), (State::Uninitialised, "no slot was tried"));
    assert!(status.next_step.contains("tokenvaultctl init"));
    assert!(status.vault_id.is_none() && status.theft.is_none());
    assert_every_data_call_answers(&home, Refused::Sealed);
    assert_eq!(refused(home.unseal()), Refused::Sealed);
    assert_eq!(home.vault().slots().unwrap(), []);
}

#[test]
fn a_sealed_vault_answers_sealed_to_every_data_call_and_still_tells_its_slots() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    home.vault().seal(&home.root().caller).unwrap();
    assert_every_data_call_answers(&home, Refused::Sealed);
    assert_eq!(home.vault().slots().unwrap().len(), 1);
    let status = home.vault().status();
    assert_eq!((status.state, status.protection), (State::Sealed, None));
    assert_eq!(home.vault().seal_reason(), Some(SealReason::Administrator));
    assert!(status.vault_id.is_some());
    home.unseal().unwrap();
    assert_eq!(home.alice().get("t").unwrap(), b"1");
    assert_eq!(home.vault().status().state, State::Serving);
    assert_eq!(home.vault().seal_reason(), None);
}

#[test]
fn each_answer_of_the_tpm_has_its_own_reason_and_next_step() {
    let mut home = Home::bare();
    home.vault().create(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    home.stop();
    home.start(tokenvault_core::vault::Settings::default());
    let answers = [
        (SealError::NoTpm("no device".into()), "NoTpm", "TPM device"),
        (SealError::WrongTpm, "WrongTpm", "recovery key"),
        (SealError::PolicyMismatch, "PolicyMismatch", "measured system"),
        (SealError::Lockout, "TpmLockout", "lockout ends"),
        (SealError::DamagedBlob, "DamagedSlot", "replace the slot"),
        (SealError::Timeout, "Timeout", "try again"),
        (SealError::Failed("0x101".into()), "Failed", "try again"),
    ];
    let mut steps = Vec::new();
    for (error, word, step) in answers {
        let sealer = ScriptedSealer::refusing(error.clone());
        assert_eq!(refused(home.vault().unseal_unattended(&daemon(), &sealer, &HostKey::NotAllowed)), Refused::Tpm);
        let status = home.vault().status();
        assert_eq!(status.state, State::Sealed);
        assert!(status.reason.starts_with(&format!("{word}: ")), "{}", status.reason);
        assert!(status.next_step.contains(step), "{}", status.next_step);
        assert_eq!(home.vault().seal_reason(), Some(SealReason::Tpm(error)));
        let told = answer(home.alice().get("t"));
        assert_eq!(told, Err(Refused::Sealed));
        let told = home.alice().get("t").unwrap_err().to_string();
        assert!(told.contains(&status.reason) && told.contains(&status.next_step), "{told}");
        steps.push(status.next_step);
    }
    steps.dedup();
    assert_eq!(steps.len(), 6, "the five states of a TPM differ in what to do about them");
    home.vault().unseal_unattended(&daemon(), &ScriptedSealer::default(), &HostKey::NotAllowed).unwrap();
}

#[test]
fn what_is_wrong_with_a_host_key_is_said() {
    let mut home = Home::new();
    home.stop();
    home.start(tokenvault_core::vault::Settings::default());
    let keys = [
        (HostKey::NotAllowed, "allow-host-key", Refused::Sealed),
        (HostKey::Unreadable("no such file".into()), "no such file", Refused::Sealed),
        (HostKey::Key(key(&[9; 32])), "not the one of this vault", Refused::AccessDenied),
    ];
    for (host_key, reason, answer) in keys {
        assert_eq!(refused(home.vault().unseal_unattended(&daemon(), &ScriptedSealer::default(), &host_key)), answer);
        let status = home.vault().status();
        assert!(status.reason.contains(reason), "{}", status.reason);
        assert!(status.next_step.contains("host key"), "{}", status.next_step);
    }
}

#[test]
fn unsealing_an_open_vault_only_says_whether_the_secret_is_right() {
    let home = Home::new();
    let unseal_with = |secret| answer(home.vault().unseal_with(&daemon(), &key(secret), None));
    home.unseal().unwrap();
    assert_eq!(unseal_with(&[6; 32]), Err(Refused::InvalidArgs), "there is no slot it could be for");
    home.vault().add_slot(&daemon(), &NewSlot::Recovery(&public_of(&[6; 32]))).unwrap();
    assert_eq!(unseal_with(&[6; 32]), Ok(()));
    assert_eq!(unseal_with(&[9; 32]), Err(Refused::AccessDenied));
    assert_eq!((home.vault().state(), home.vault().status().protection), (State::Serving, Some(SlotKind::HostKey)));
}

#[test]
fn sealing_writes_down_the_reads_that_were_waiting() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    for _ in 0..3 {
        home.alice().get("t").unwrap();
    }
    home.vault().seal(&home.root().caller).unwrap();
    assert!(!home.vault().audit_waits());
    home.unseal().unwrap();
    let log = records(&home);
    let told: Vec<_> = log.iter().map(|record| (record.operation.as_str(), record.uid, record.count)).collect();
    let last = &told[told.len() - 4..];
    assert_eq!(last, [("Get", ALICE, 1), ("Get", ALICE, 2), ("Seal", ROOT, 1), ("Unseal", ROOT, 1)]);
}

#[test]
fn a_read_that_still_holds_keys_of_a_vault_that_was_sealed_is_refused() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    for durable in [true, false] {
        home.set(|settings| settings.audit_durable = durable);
        let seal_meanwhile = || home.vault().seal(&home.root().caller);
        assert_eq!(refused(home.alice().open_when("t", seal_meanwhile)), Refused::Sealed);
        assert_eq!(home.vault().audit_waiting(), 0, "no record is left behind");
        home.unseal().unwrap();
    }
    home.alice().get("t").unwrap();
    assert_eq!(records(&home).iter().filter(|record| record.operation == "Get").count(), 1);
}

#[test]
fn who_is_refused_at_a_sealed_vault_is_written_down_when_it_is_open_again() {
    let home = Home::new();
    home.vault().seal(&home.root().caller).unwrap();
    let denied = tokenvault_core::Error::AccessDenied("not root".into());
    home.vault().note_refusal(&Event::new(&home.bob().caller, "Unseal"), &denied);
    assert_eq!(home.vault().audit_waiting(), 1);
    home.unseal().unwrap();
    assert!(records(&home).iter().any(|record| record.uid == BOB));
}

#[test]
fn an_unseal_that_an_administrator_asked_for_is_recorded_as_hers() {
    let home = Home::new();
    let root = home.root().caller;
    for caller in [&root, &daemon()] {
        home.vault().seal(&root).unwrap();
        home.vault().unseal_unattended(caller, &ScriptedSealer::default(), &HostKey::Key(key(&HOST_KEY))).unwrap();
    }
    home.vault().seal(&root).unwrap();
    home.vault().unseal_unattended_slot(&root, &ScriptedSealer::default(), &HostKey::Key(key(&HOST_KEY)), 1).unwrap();
    let unseals = records(&home).into_iter().filter(|record| record.operation == "Unseal");
    let told: Vec<_> = unseals.map(|record| (record.door, record.pid)).collect();
    assert_eq!(told, [(1, Some(4711)), (2, None), (1, Some(4711))]);
}

#[test]
fn a_seal_that_cannot_be_written_down_loses_no_record() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    home.alice().get("t").unwrap();
    let foreign = home.database();
    foreign.lock();
    assert_eq!(refused(home.vault().seal(&home.root().caller)), Refused::Unavailable);
    foreign.unlock();
    assert_eq!(home.vault().state(), State::Sealed, "whoever asks for the keys to go is not refused");
    home.unseal().unwrap();
    assert!(records(&home).iter().any(|record| record.operation == "Get"));
}

/// Counts the regions that are in use.
#[derive(Default)]
struct Counting(Arc<AtomicUsize>);

struct Counted(Box<dyn SecretBuffer>, Arc<AtomicUsize>);

impl SecretMemory for Counting {
    fn allocate(&self, len: usize) -> Result<Box<dyn SecretBuffer>, SecretMemoryExhausted> {
        let buffer = HeapMemory.allocate(len)?;
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Counted(buffer, Arc::clone(&self.0))))
    }
}

impl SecretBuffer for Counted {
    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_sealed_vault_holds_no_secret_any_more() {
    let memory = Counting::default();
    let in_use = Arc::clone(&memory.0);
    let home = Home::with_memory(Arc::new(memory));
    home.vault().create(&daemon(), &NewSlot::HostKey(&key(&HOST_KEY))).unwrap();
    home.alice().put("t", b"1").unwrap();
    home.alice().get("t").unwrap();
    assert!(in_use.load(Ordering::SeqCst) > 6, "the keyring and what hangs on it");
    home.vault().seal(&home.root().caller).unwrap();
    wait_until("the last request to let go of the keys", || in_use.load(Ordering::SeqCst) == 0);
    home.unseal().unwrap();
    assert_eq!(home.alice().get("t").unwrap(), b"1");
}
