//! Slots: the vector file, and the whole way from making one to opening it.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

mod common;

use common::{cases, check, hex, secret, vectors};
use serde_json::Value;
use tokenvault_core::crypto::{CryptoError, VaultId, hpke};
use tokenvault_core::keyring::Keyring;
use tokenvault_core::port::{HeapMemory, SealError, SealedBlob, Sealer, SlotRow, TpmStatus};
use tokenvault_core::slot::table::{self, Covered};
use tokenvault_core::slot::{Slot, SlotError, SlotKind, SlotMaker, SlotSecret, hand_over};
use tokenvault_core::{Secret, Timestamp};

const PARAMS: &str = "$argon2id$v=19$m=65536,t=3,p=1";
const VAULT: VaultId = [5; 16];

/// Stands where a TPM would: "seals" into the blob itself, or fails as told. The real one is tested where it is linked.
struct OpenSealer(Option<SealError>);

impl Sealer for OpenSealer {
    fn seal(&self, secret: &Secret) -> Result<SealedBlob, SealError> {
        let private = secret.expose().to_vec();
        Ok(SealedBlob { root_key_name: vec![1], public: vec![2], private, policy: vec![3], pcrs: vec![] })
    }

    fn unseal(&self, blob: &SealedBlob) -> Result<Secret, SealError> {
        self.0.clone().map_or_else(|| Ok(secret(&blob.private)), Err)
    }

    fn status(&self) -> Result<TpmStatus, SealError> {
        Ok(TpmStatus::default())
    }
}

const SEALER: OpenSealer = OpenSealer(None);

/// An open vault with one slot of each kind, and what opens it.
struct Fixture {
    vk: Secret,
    keyring: Keyring,
}

impl Fixture {
    fn new() -> Self {
        Self { vk: secret(&[9; 32]), keyring: Keyring::generate(&HeapMemory).unwrap() }
    }

    fn maker<'a>(&'a self, vk: &'a Secret) -> SlotMaker<'a> {
        let created = Timestamp::from_usec(77);
        SlotMaker { vault_id: &VAULT, vk, keyring: &self.keyring, memory: &HeapMemory, created }
    }

    /// The slots, numbered as a store would.
    fn rows(&self) -> Vec<SlotRow> {
        let maker = self.maker(&self.vk);
        let rows = [
            maker.tpm2(&SEALER).unwrap(),
            maker.recovery(&hpke::public_key(&secret(&[1; 32])).unwrap()).unwrap(),
            maker.passphrase(&secret(&[2; 32]), &[7; 16], PARAMS).unwrap(),
            maker.host_key(&secret(&[3; 32])).unwrap(),
        ];
        rows.into_iter().zip(1..).map(|(row, id)| SlotRow { id, ..row }).collect()
    }
}

fn open(row: &SlotRow, opener: SlotSecret<'_>) -> Result<Vec<u8>, SlotError> {
    Slot::parse(row, &VAULT)?.open(opener, &HeapMemory).map(|vk| vk.expose().to_vec())
}

#[test]
fn each_kind_gives_back_the_vault_key_it_was_made_for() {
    let fixture = Fixture::new();
    let keys = [secret(&[0; 32]), secret(&[1; 32]), secret(&[2; 32]), secret(&[3; 32])];
    for (row, key) in fixture.rows().iter().zip(&keys) {
        let opener = if row.kind == "tpm2" { SlotSecret::Sealer(&SEALER) } else { SlotSecret::Key(key) };
        assert_eq!(open(row, opener).unwrap(), [9; 32], "{}", row.kind);
        assert_eq!(row.created, 77);
    }
}

#[test]
fn a_new_vault_key_needs_nobodys_secret() {
    let fixture = Fixture::new();
    let new = secret(&[10; 32]);
    let recovery = fixture.maker(&new).rewrap(&fixture.rows()[1], &fixture.vk).unwrap();
    assert_eq!(open(&recovery, SlotSecret::Key(&secret(&[1; 32]))).unwrap(), [10; 32]);
    let foreign = Fixture::new();
    let refused = foreign.maker(&new).rewrap(&fixture.rows()[1], &fixture.vk);
    assert_eq!(refused, Err(SlotError::Damaged("its key is not of this keyring")));
}

#[test]
fn nothing_is_wrapped_for_a_key_that_does_not_open_the_slot_itself() {
    let fixture = Fixture::new();
    let (own, new, term) = (fixture.rows().remove(3), secret(&[10; 32]), secret(&[12; 32]));
    let integrity = fixture.keyring.slots().newest().unwrap();
    // Who has keys of before makes one of his own pass for that of a slot.
    let his = fixture.maker(&secret(&[11; 32])).host_key(&secret(&[4; 32])).unwrap();
    let forged = SlotRow { wrapped_kek: his.wrapped_kek.clone(), ..own.clone() };
    let other = Err(SlotError::Damaged("the key kept of it is not its own"));
    for row in [&forged, &SlotRow { wrapped_vk: his.wrapped_vk, ..forged.clone() }] {
        assert_eq!(fixture.maker(&new).rewrap(row, &fixture.vk), other);
        assert_eq!(hand_over(row, (&integrity, &term), (&VAULT, &fixture.vk), &HeapMemory), other);
    }
    assert!(hand_over(&own, (&integrity, &term), (&VAULT, &fixture.vk), &HeapMemory).is_ok());
}

#[test]
fn who_began_to_read_the_table_before_a_rotation_reads_it_to_its_end() {
    let fixture = Fixture::new();
    let table = covered(&fixture.rows());
    let compute = || table::compute(&fixture.keyring.slots().newest().unwrap(), &VAULT, &table, &HeapMemory).unwrap();
    let verify = |since, mac: &[u8]| table::verify((&fixture.keyring, since), &VAULT, &table, mac, &HeapMemory);
    let before = compute();
    fixture.keyring.learn(fixture.keyring.draw(&HeapMemory).unwrap());
    let after = compute();
    assert_eq!((verify(1, &before), verify(1, &after), verify(2, &after)), (Ok(()), Ok(()), Ok(())));
    assert_eq!(verify(2, &before), Err(SlotError::TableChanged));
    let drawn = secret(&[13; 32]);
    let expected = table::compute(&drawn, &VAULT, &table, &HeapMemory).unwrap();
    assert_eq!(verify(2, &expected), Err(SlotError::TableChanged));
    fixture.keyring.slots().expect(drawn);
    assert_eq!(verify(2, &expected), Ok(()));
}

#[test]
fn what_a_slot_tells_before_it_is_open() {
    let rows = Fixture::new().rows();
    let parse = |at: usize| Slot::parse(&rows[at], &VAULT).unwrap();
    assert_eq!(parse(0).kind(), SlotKind::Tpm2);
    assert_eq!(parse(0).sealed_blob().unwrap().policy, [3]);
    assert_eq!(parse(1).recovery().unwrap().public_key(), &hpke::public_key(&secret(&[1; 32])).unwrap());
    assert_eq!(parse(2).passphrase().unwrap().salt(), [7; 16]);
    assert_eq!(parse(2).passphrase().unwrap().params(), PARAMS);
    assert!(parse(3).passphrase().is_none() && parse(3).recovery().is_none() && parse(3).sealed_blob().is_none());
}

#[test]
fn the_tpms_own_answer_comes_through() {
    let row = &Fixture::new().rows()[0];
    for answer in [SealError::WrongTpm, SealError::PolicyMismatch, SealError::Lockout, SealError::DamagedBlob] {
        let sealer = OpenSealer(Some(answer.clone()));
        assert_eq!(open(row, SlotSecret::Sealer(&sealer)), Err(SlotError::Tpm(answer)));
    }
}

#[test]
fn no_slot_is_made_of_a_bad_key_salt_or_parameter() {
    let fixture = Fixture::new();
    let maker = fixture.maker(&fixture.vk);
    let key = secret(&[2; 32]);
    assert_eq!(maker.recovery(&[0; 32]).err(), Some(SlotError::Crypto(CryptoError::PublicKey)));
    assert_eq!(maker.recovery(&[9; 31]).err(), Some(SlotError::Crypto(CryptoError::PublicKey)));
    assert_eq!(maker.host_key(&secret(b"short")).err(), Some(SlotError::SecretLength(5)));
    assert_eq!(maker.passphrase(&secret(&[]), &[7; 16], PARAMS).err(), Some(SlotError::SecretLength(0)));
    assert!(matches!(maker.passphrase(&key, &[7; 8], PARAMS), Err(SlotError::Parameters(_))));
    assert!(matches!(maker.passphrase(&key, &[7; 16], "$argon2id$v=19$m=8,t=1,p=1"), Err(SlotError::Parameters(_))));
}

#[test]
fn each_failure_has_its_own_answer() {
    let answers = [
        (SlotError::WrongSecret, "AccessDenied"),
        (SlotError::Damaged("x"), "DamagedSlot"),
        (SlotError::ForeignVault, "DamagedSlot"),
        (SlotError::TableChanged, "Quarantined"),
        (SlotError::SecretLength(3), "InvalidArgs"),
        (SlotError::Crypto(CryptoError::PublicKey), "InvalidArgs"),
        (SlotError::Tpm(SealError::WrongTpm), "Tpm"),
    ];
    for (failure, answer) in answers {
        let text = format!("{:?}", tokenvault_core::Error::from(failure));
        assert!(text.starts_with(answer), "{text}");
    }
}

#[test]
fn any_change_to_the_table_is_found_and_order_is_not_one() {
    let fixture = Fixture::new();
    let rows = fixture.rows();
    let stored =
        table::compute(&fixture.keyring.slots().newest().unwrap(), &VAULT, &covered(&rows), &HeapMemory).unwrap();
    let verify = |rows: &[SlotRow]| table::verify((&fixture.keyring, 1), &VAULT, &covered(rows), &stored, &HeapMemory);
    let mut reversed = rows.clone();
    reversed.reverse();
    assert_eq!(verify(&reversed), Ok(()));

    let edits: [fn(&mut Vec<SlotRow>); 9] = [
        |rows| drop(rows.pop()),
        |rows| rows.push(rows[0].clone()),
        |rows| rows[0].id = 9,
        |rows| rows[1].kind = "host-key".into(),
        |rows| rows[1].body[20] ^= 1,
        |rows| rows[2].wrapped_vk[80] ^= 1,
        |rows| rows[2].wrapped_kek[80] ^= 1,
        |rows| rows[3].created += 1,
        Vec::clear,
    ];
    for (number, edit) in edits.iter().enumerate() {
        let mut changed = rows.clone();
        edit(&mut changed);
        assert_eq!(verify(&changed), Err(SlotError::TableChanged), "edit {number}");
    }
    let foreign = table::verify((&fixture.keyring, 1), &[6; 16], &covered(&rows), &stored, &HeapMemory);
    assert_eq!(foreign, Err(SlotError::TableChanged));
    let without = table::verify((&fixture.keyring, 1), &VAULT, &covered(&rows), &[], &HeapMemory);
    assert_eq!(without, Err(SlotError::TableChanged));
}

#[test]
fn whether_there_is_a_sum_over_the_rows_an_anchor_or_a_voucher_cannot_be_changed_either() {
    let fixture = Fixture::new();
    let tables = [
        (false, None, None),
        (true, None, None),
        (false, Some(None), None),
        (true, Some(None), None),
        (true, Some(Some(0)), None),
        (true, Some(Some(1)), None),
        (true, Some(Some(1)), Some((1, [1; 32]))),
        (true, None, Some((1, [1; 32]))),
        (false, None, Some((1, [1; 32]))),
        (true, None, Some((2, [1; 32]))),
        (true, None, Some((1, [2; 32]))),
    ]
    .map(|(has_row_sum, anchored, vouched)| Covered { has_row_sum, anchored, vouched, ..covered(&fixture.rows()) });
    let macs = tables
        .each_ref()
        .map(|t| table::compute(&fixture.keyring.slots().newest().unwrap(), &VAULT, t, &HeapMemory).unwrap());
    let verify = |t: &Covered, mac: &[u8]| table::verify((&fixture.keyring, 1), &VAULT, t, mac, &HeapMemory);
    for (number, covered) in tables.iter().enumerate() {
        for (other, mac) in macs.iter().enumerate() {
            let expected = if other == number { Ok(()) } else { Err(SlotError::TableChanged) };
            assert_eq!(verify(covered, mac), expected, "{number} {other}");
        }
    }
}

/// The table of a store without a sum over its rows, an anchor and a voucher.
fn covered(rows: &[SlotRow]) -> Covered {
    Covered { slots: rows.to_vec(), has_row_sum: false, anchored: None, vouched: None }
}

fn row(case: &Value) -> SlotRow {
    SlotRow {
        id: case["id"].as_u64().unwrap_or_default().try_into().unwrap(),
        kind: case["kind"].as_str().unwrap().to_owned(),
        body: hex(&case["body"]),
        wrapped_vk: hex(&case["wrapped_vk"]),
        wrapped_kek: hex(&case["wrapped_kek"]),
        created: case["created"].as_u64().unwrap_or_default(),
    }
}

#[test]
fn slots_of_the_vector_file_open_or_are_refused_by_cause() {
    let file = vectors("slots.json");
    let vault_id: VaultId = hex(&file["vault_id"]).try_into().unwrap();
    for (name, case) in cases(&file, "cases") {
        let row = row(case);
        let key = case["secret"].as_str().map(|_| secret(&hex(&case["secret"])));
        let opener = key.as_ref().map_or(SlotSecret::Sealer(&SEALER), SlotSecret::Key);
        let opened = Slot::parse(&row, &vault_id).and_then(|slot| slot.open(opener, &HeapMemory));
        check(name, case, opened.map(|vk| vk.expose().to_vec()), &hex(&file["vk"]));
    }
}

#[test]
fn the_table_of_the_vector_file_verifies() {
    let (keys, file) = (vectors("keys.json"), vectors("slots.json"));
    let vault_id: VaultId = hex(&file["vault_id"]).try_into().unwrap();
    let keyring: Vec<_> = keys["keyring"].as_array().unwrap().iter().map(keyring_row).collect();
    let keyring = Keyring::open(&keyring, &secret(&hex(&keys["vk"])), &vault_id, &HeapMemory).unwrap();
    let rows: Vec<SlotRow> = file["table"]["rows"].as_array().unwrap().iter().map(row).collect();
    let stored = hex(&file["table"]["mac"]);
    assert_eq!(table::verify((&keyring, 1), &vault_id, &covered(&rows), &stored, &HeapMemory), Ok(()));
    // The wrapped KEKs are of the documented format as well: another vault key goes in without a secret.
    let vk = secret(&[8; 32]);
    let created = Timestamp::default();
    let maker = SlotMaker { vault_id: &vault_id, vk: &vk, keyring: &keyring, memory: &HeapMemory, created };
    for row in &rows {
        maker.rewrap(row, &secret(&hex(&file["vk"]))).unwrap();
    }
}

fn keyring_row(row: &Value) -> tokenvault_core::port::KeyringRow {
    tokenvault_core::port::KeyringRow {
        purpose: row["purpose"].as_str().unwrap().to_owned(),
        term: row["term"].as_u64().unwrap().try_into().unwrap(),
        wrapped: hex(&row["wrapped"]),
    }
}
