//! Rows that somebody else has written into the store: slots, keyring, audit log, and what is in them once they open.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use tokenvault_core::Secret;
use tokenvault_core::audit::{AuditKey, AuditRecord};
use tokenvault_core::crypto::{KeyTerms, wrap};
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

/// A keyring that the vault has written, to which each three bytes do something: to which row, what, and where.
fn keyring(rest: &[u8]) {
    static ROWS: OnceLock<Vec<KeyringRow>> = OnceLock::new();
    let whole = ROWS.get_or_init(|| {
        let keyring = Keyring::generate(&HeapMemory).expect("keys");
        keyring.to_rows(&key(), &VAULT).expect("rows")
    });
    let mut rows = whole.clone();
    for change in rest.chunks_exact(3) {
        let [row, what, at] = change else { continue };
        let (from, to) = (usize::from(*at) % whole.len(), usize::from(*row) % whole.len());
        let Some(changed) = rows.get_mut(to) else { continue };
        match what % 6 {
            0 => changed.wrapped = whole[from].wrapped.clone(),
            1 => changed.purpose = whole[from].purpose.clone(),
            2 => changed.term = u32::from(*at),
            3 => changed.wrapped.truncate(usize::from(*at)),
            4 => {
                let len = changed.wrapped.len().max(1);
                if let Some(byte) = changed.wrapped.get_mut(usize::from(*at) % len) {
                    *byte ^= 1;
                }
            }
            _ => drop(rows.remove(to)),
        }
        if rows.is_empty() {
            break;
        }
    }
    let opened = Keyring::open(&rows, &key(), &VAULT, &HeapMemory).is_ok();
    let sorted = |rows: &[KeyringRow]| {
        rows.iter().map(|row| (row.purpose.clone(), row.term, row.wrapped.clone())).collect::<BTreeSet<_>>()
    };
    assert_eq!(
        opened,
        sorted(&rows) == sorted(whole) && rows.len() == whole.len(),
        "it opens as it was written, and not otherwise"
    );
}

fn audit(rest: &[u8]) {
    let audit = AuditKey::derive(&KeyTerms::of(1, key()), &VAULT, &HeapMemory).expect("keys");
    let row = AuditRow { seq: 1, record: rest.to_vec(), chain: [0; 32] };
    assert!(audit.open(&row).is_err(), "nobody has written this record");
}
