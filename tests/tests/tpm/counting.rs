//! Counters in the TPM: they only go up, whoever asks twice, is cut off, listens, or puts something else in their place.

use tokenvault_core::Secret;
use tokenvault_core::port::{Counted, Counter, CounterPlace, CounterStep, HeapMemory, SealError, Sealer};
use tokenvault_tpm::SECRET_LEN;

use crate::kit::{Machine, sealer, secret};
use crate::wiretap::Wiretap;

const AUTH: [u8; SECRET_LEN] = *b"\x42\x02the authorisation of a count\x99\x03";
const INDEX: u32 = 0x0181_2345;
/// TPM 2.0 Library, Part 2, "TPM_CC".
const TPM_CC_NV_INCREMENT: u32 = 0x134;

fn place(machine: &Machine) -> CounterPlace {
    place_with(machine, &AUTH)
}

fn place_with(machine: &Machine, auth: &[u8]) -> CounterPlace {
    let root_key_name = machine.sealer().seal(&secret()).unwrap().root_key_name;
    CounterPlace { index: INDEX, root_key_name, auth: Secret::copy_from(&HeapMemory, auth).unwrap() }
}

#[track_caller]
fn value(counted: Result<Counted, SealError>) -> u64 {
    match counted {
        Ok(Counted::At(value)) => value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_counter_is_made_once_and_raised_by_one_from_the_value_it_has() {
    let mut machine = Machine::start();
    let (place, tpm) = (place(&machine), machine.sealer());
    assert_eq!(tpm.count(&place, CounterStep::Read), Ok(Counted::Missing));
    assert_eq!(tpm.count(&place, CounterStep::Raise { from: 0 }), Ok(Counted::Missing));
    let first = value(tpm.count(&place, CounterStep::Make));
    assert_eq!(value(tpm.count(&place, CounterStep::Make)), first, "it was there");
    assert_eq!(value(tpm.count(&place, CounterStep::Raise { from: first })), first + 1);
    // The answer was lost, and it is asked again.
    assert_eq!(value(tpm.count(&place, CounterStep::Raise { from: first })), first + 1);
    assert_eq!(value(tpm.count(&place, CounterStep::Raise { from: first + 7 })), first + 1);
    machine.chip.reboot();
    assert_eq!(value(machine.sealer().count(&place, CounterStep::Read)), first + 1);
}

#[test]
fn a_counter_that_was_removed_and_made_again_goes_on_above() {
    let machine = Machine::start();
    let (place, tpm) = (place(&machine), machine.sealer());
    let first = value(tpm.count(&place, CounterStep::Make));
    let last = value(tpm.count(&place, CounterStep::Raise { from: first }));
    assert_eq!(tpm.count(&place, CounterStep::Remove), Ok(Counted::Missing));
    assert_eq!(tpm.count(&place, CounterStep::Remove), Ok(Counted::Missing));
    assert!(value(tpm.count(&place, CounterStep::Make)) > last);
}

#[test]
fn power_cuts_neither_raise_it_nor_lock_the_tpm() {
    let mut machine = Machine::start();
    let (place, tpm) = (place(&machine), machine.sealer());
    let mut last = value(tpm.count(&place, CounterStep::Make));
    for _ in 0..5 {
        last = value(tpm.count(&place, CounterStep::Raise { from: last }));
        machine.chip.cut();
        machine.chip.start();
        assert_eq!(value(tpm.count(&place, CounterStep::Read)), last);
    }
    assert!(!tpm.status().unwrap().in_lockout);
}

#[test]
fn who_has_another_secret_neither_reads_nor_raises_nor_removes_it_and_guesses_lock_nothing() {
    let machine = Machine::start();
    let (ours, theirs) = (place(&machine), place_with(&machine, &[1; SECRET_LEN]));
    let tpm = machine.sealer();
    let first = value(tpm.count(&ours, CounterStep::Make));
    let steps = [CounterStep::Read, CounterStep::Make, CounterStep::Raise { from: first }, CounterStep::Remove];
    for step in steps.into_iter().cycle().take(12) {
        assert_eq!(tpm.count(&theirs, step), Ok(Counted::Foreign), "{step:?}");
    }
    assert!(!tpm.status().unwrap().in_lockout);
    assert_eq!(value(tpm.count(&ours, CounterStep::Read)), first);
}

#[test]
fn an_index_of_another_kind_is_let_be() {
    let machine = Machine::start();
    let (place, tpm) = (place(&machine), machine.sealer());
    let index = format!("0x{INDEX:x}");
    machine.tool(&machine.chip.tcti(), &["nvdefine", "-C", "o", "-s", "8", "-a", "authread|authwrite", &index]);
    for step in [CounterStep::Read, CounterStep::Make, CounterStep::Raise { from: 1 }, CounterStep::Remove] {
        assert_eq!(tpm.count(&place, step), Ok(Counted::Foreign), "{step:?}");
    }
    machine.tool(&machine.chip.tcti(), &["nvreadpublic", &index]);
    // Its guesses would be counted, and none was made.
    assert!(!tpm.status().unwrap().in_lockout);
}

#[test]
fn one_that_was_defined_and_has_not_counted_is_begun() {
    let machine = Machine::start();
    let (place, tpm) = (place(&machine), machine.sealer());
    let (index, auth) = (format!("0x{INDEX:x}"), format!("hex:{}", tokenvault_core::hex::encode(&AUTH)));
    let define = ["nvdefine", "-C", "o", "-s", "8", "-a", "authread|authwrite|no_da|nt=counter", "-p", &auth, &index];
    machine.tool(&machine.chip.tcti(), &define);
    assert_eq!(tpm.count(&place, CounterStep::Read), Ok(Counted::Missing));
    assert!(value(tpm.count(&place, CounterStep::Make)) > 0);
}

#[test]
fn a_cleared_or_another_tpm_is_the_wrong_one() {
    let (machine, other) = (Machine::start(), Machine::start());
    let place = place(&machine);
    machine.sealer().count(&place, CounterStep::Make).unwrap();
    assert_eq!(other.sealer().count(&place, CounterStep::Read), Err(SealError::WrongTpm));
    other.sealer().seal(&secret()).unwrap();
    assert_eq!(other.sealer().count(&place, CounterStep::Make), Err(SealError::WrongTpm));
    machine.chip.clear();
    assert_eq!(machine.sealer().count(&place, CounterStep::Read), Err(SealError::WrongTpm));
}

#[test]
fn a_listener_hears_no_authorisation_and_cannot_answer_in_its_place() {
    let machine = Machine::start();
    let place = place(&machine);
    let wire = Wiretap::before(machine.chip.port());
    let tpm = sealer(&wire.tcti());
    let first = value(tpm.count(&place, CounterStep::Make));
    let second = value(tpm.count(&place, CounterStep::Raise { from: first }));
    assert_eq!(wire.commands(TPM_CC_NV_INCREMENT).len(), 2);
    assert!(AUTH.chunks(8).all(|part| !wire.heard(part)), "the authorisation was on the wire");
    assert!(wire.heard(&second.to_be_bytes()), "the value is no secret");
    wire.lie((second.to_be_bytes().to_vec(), first.to_be_bytes().to_vec()));
    let lied = tpm.count(&place, CounterStep::Read);
    assert!(matches!(lied, Err(SealError::Failed(_))), "{lied:?}");
}
