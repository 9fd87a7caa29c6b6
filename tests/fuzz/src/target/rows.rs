//! Rows that somebody else has written into the store: slots, keyring, audit log, and what is in them once they open.

use tokenvault_core::Secret;
use tokenvault_core::audit::{AuditKey, AuditRecord};
use tokenvault_core::crypto::wrap;
use tokenvault_core::issued::IssuedMeta;
use tokenvault_core::keyring::Keyring;
use tokenvault_core::port::{AuditRow, HeapMemory, KeyringRow, SlotRow};
use tokenvault_core::slot::{Slot, SlotSecret};
use tokenvault_core::token::{ShareMeta, TokenMeta, VersionMeta};

const VAULT: [u8; 16] = [3; 16];

fn key() -> Secret {
    Secret::copy_from(&HeapMemory, &[7; 32]).expect("memory")
}

/// What was read is written and read again as the same.
fn same<T>(bytes: &[u8])
where
    T: minicbor::Encode<()> + PartialEq + for<'a> minicbor::Decode<'a, ()>,
{
    let Ok(read) = minicbor::decode::<T>(bytes) else { return };
    let written = minicbor::to_vec(&read).expect("what was read is written");
    let again: T = minicbor::decode(&written).expect("what was written is read");
    assert!(again == read, "it has become something else");
}

/// The first byte says which table it is.
pub fn run(data: &[u8]) {
    let Some((table, rest)) = data.split_first() else { return };
    match table % 9 {
        0 => slot(rest),
        1 => keyring(rest),
        2 => audit(rest),
        3 => drop(wrap::open_record(&key(), "fuzz", b"", rest)),
        4 => same::<TokenMeta>(rest),
        5 => same::<VersionMeta>(rest),
        6 => same::<ShareMeta>(rest),
        7 => same::<IssuedMeta>(rest),
        _ => same::<AuditRecord>(rest),
    }
}

fn slot(rest: &[u8]) {
    let Some((kind, body)) = rest.split_first() else { return };
    let kind = ["tpm2", "recovery", "passphrase", "host-key", "coffee"][usize::from(*kind) % 5];
    let (wrapped_vk, wrapped_kek) = (vec![1; 113], vec![2; 113]);
    let row = SlotRow { id: 1, kind: kind.into(), body: body.to_vec(), wrapped_vk, wrapped_kek, created: 0 };
    if let Ok(slot) = Slot::parse(&row, &VAULT) {
        assert!(slot.open(SlotSecret::Key(&key()), &HeapMemory).is_err(), "it was opened by nobody's key");
    }
}

fn keyring(rest: &[u8]) {
    let purposes = ["integrity", "index", "tokens", "audit", "pepper", "users"];
    let rows: Vec<KeyringRow> = rest
        .chunks(120)
        .enumerate()
        .map(|(at, wrapped)| KeyringRow {
            purpose: purposes[at % purposes.len()].into(),
            term: 1,
            wrapped: wrapped.to_vec(),
        })
        .collect();
    assert!(Keyring::open(&rows, &key(), &VAULT, &HeapMemory).is_err(), "nobody has written this keyring");
}

fn audit(rest: &[u8]) {
    let audit = AuditKey::derive(&key(), &VAULT, &HeapMemory).expect("keys");
    let row = AuditRow { seq: 1, record: rest.to_vec(), chain: [0; 32] };
    assert!(audit.open(&row).is_err(), "nobody has written this record");
}
