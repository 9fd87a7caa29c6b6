use super::*;
use crate::port::HeapMemory;

const VAULT: VaultId = [3; 16];

fn vk(byte: u8) -> Secret {
    Secret::copy_from(&HeapMemory, &[byte; 32]).unwrap()
}

fn rows() -> Vec<KeyringRow> {
    Keyring::generate(&HeapMemory).unwrap().to_rows(&vk(1), &VAULT).unwrap()
}

fn refusal(rows: &[KeyringRow], vk: &Secret, vault: &VaultId) -> KeyringError {
    Keyring::open(rows, vk, vault, &HeapMemory).err().expect("the keyring opened")
}

#[test]
fn the_keys_come_back_under_their_purposes_in_any_order() {
    let keyring = Keyring::generate(&HeapMemory).unwrap();
    let mut rows = keyring.to_rows(&vk(1), &VAULT).unwrap();
    rows.reverse();
    let opened = Keyring::open(&rows, &vk(1), &VAULT, &HeapMemory).unwrap();
    let keys = |keyring: &Keyring| secrets(keyring).into_iter().map(|key| key.expose().to_vec()).collect::<Vec<_>>();
    assert!(keys(&opened) == keys(&keyring));
    assert!(RENEWED.iter().all(|purpose| opened.terms(*purpose).unwrap().newest_term() == 1));
}

#[test]
fn terms_of_before_come_back_with_the_newest_and_go_one_by_one() {
    let keyring = Keyring::generate(&HeapMemory).unwrap();
    let before = secrets(&keyring);
    keyring.learn(keyring.draw(&HeapMemory).unwrap());
    let rows = keyring.to_rows(&vk(1), &VAULT).unwrap();
    assert_eq!(rows.len(), 1 + 2 * RENEWED.len());
    let opened = Keyring::open(&rows, &vk(1), &VAULT, &HeapMemory).unwrap();
    for (purpose, first) in RENEWED.into_iter().zip(before.iter().skip(1)) {
        let terms = opened.terms(purpose).unwrap();
        assert!(terms.newest_term() == 2 && terms.newest().unwrap().expose() != first.expose());
        assert!(terms.of_term(1).unwrap().expose() == first.expose());
    }
    assert!(opened.integrity().expose() == keyring.integrity().expose(), "what is bound to the first one stays");
    let left: Vec<_> = rows.into_iter().filter(|row| (row.purpose.as_str(), row.term) != ("users", 1)).collect();
    let opened = Keyring::open(&left, &vk(1), &VAULT, &HeapMemory).unwrap();
    let earlier = [KeyPurpose::Tokens, KeyPurpose::Audit, KeyPurpose::Pepper].map(|purpose| (purpose, 1));
    assert_eq!(opened.earlier_terms(), earlier);
}

/// The newest of each, in the order of the purposes.
fn secrets(keyring: &Keyring) -> Vec<Arc<Secret>> {
    let index = Arc::new(Secret::copy_from(&HeapMemory, keyring.index().expose()).unwrap());
    let renewed = RENEWED.iter().map(|purpose| keyring.terms(*purpose).unwrap().newest().unwrap());
    std::iter::once(index).chain(renewed).collect()
}

#[test]
fn of_rows_it_is_told_whether_they_are_what_is_in_use() {
    let keyring = Keyring::generate(&HeapMemory).unwrap();
    let before = keyring.to_rows(&vk(1), &VAULT).unwrap();
    let is_stored = |rows: &[KeyringRow], byte| keyring.is_stored(rows, (&vk(byte), &VAULT), &HeapMemory);
    assert_eq!(is_stored(&before, 1), Ok(true));
    assert!(is_stored(&before, 2).is_err());
    keyring.learn(keyring.draw(&HeapMemory).unwrap());
    let both = keyring.to_rows(&vk(1), &VAULT).unwrap();
    assert_eq!((is_stored(&before, 1), is_stored(&both, 1)), (Ok(false), Ok(true)));
    keyring.users().retire(1);
    assert_eq!(is_stored(&both, 1), Ok(false));
}

#[test]
fn of_each_key_so_many_terms_are_kept_and_no_more_begin() {
    let keyring = Keyring::generate(&HeapMemory).unwrap();
    for _ in 1..TERMS_MAX {
        assert_eq!(keyring.full(), None);
        keyring.learn(keyring.draw(&HeapMemory).unwrap());
    }
    assert_eq!(keyring.full(), Some(KeyPurpose::Integrity));
    for (purpose, term) in keyring.earlier_terms().into_iter().filter(|(_, term)| *term > 1) {
        keyring.terms(purpose).unwrap().retire(term);
    }
    assert_eq!(keyring.full(), None);
    let rows = keyring.to_rows(&vk(1), &VAULT).unwrap();
    assert_eq!(Keyring::open(&rows, &vk(1), &VAULT, &HeapMemory).unwrap().audit().all().len(), 2);
}

#[test]
fn no_two_keys_are_equal() {
    let keyring = Keyring::generate(&HeapMemory).unwrap();
    let keys: BTreeSet<_> = secrets(&keyring).into_iter().map(|key| key.expose().to_vec()).collect();
    assert_eq!(keys.len(), 6);
}

#[test]
fn a_missing_a_second_and_an_unknown_key_are_refused() {
    let mut missing = rows();
    missing.remove(3);
    assert_eq!(refusal(&missing, &vk(1), &VAULT), KeyringError::Missing("audit"));
    let mut twice = rows();
    twice.push(twice[1].clone());
    assert_eq!(refusal(&twice, &vk(1), &VAULT), KeyringError::Duplicate("integrity"));
    let mut fixed = rows();
    fixed.push(KeyringRow { term: 2, ..fixed[0].clone() });
    assert_eq!(refusal(&fixed, &vk(1), &VAULT), KeyringError::Duplicate("index"));
    let mut same = rows();
    same.push(same[5].clone());
    assert_eq!(refusal(&same, &vk(1), &VAULT), KeyringError::Duplicate("users"));
    let mut unknown = rows();
    unknown[2].purpose = "coffee".into();
    assert_eq!(refusal(&unknown, &vk(1), &VAULT), KeyringError::UnknownPurpose);
    assert_eq!(refusal(&[], &vk(1), &VAULT), KeyringError::Missing("integrity"));
}

#[test]
fn the_newest_of_one_that_is_taken_away_is_noticed() {
    let keyring = Keyring::generate(&HeapMemory).unwrap();
    keyring.learn(keyring.draw(&HeapMemory).unwrap());
    let rows = keyring.to_rows(&vk(1), &VAULT).unwrap();
    for purpose in RENEWED.map(KeyPurpose::as_str) {
        let without = |term: u32| {
            let left = rows.iter().filter(|row| (row.purpose.as_str(), row.term) != (purpose, term));
            left.cloned().collect::<Vec<_>>()
        };
        assert_eq!(refusal(&without(2), &vk(1), &VAULT), KeyringError::NewestMissing(purpose));
        assert!(Keyring::open(&without(1), &vk(1), &VAULT, &HeapMemory).is_ok(), "{purpose}: nothing may need it");
    }
}

#[test]
fn another_key_vault_purpose_or_term_does_not_open() {
    let rows = rows();
    let wrong = KeyringError::Key { purpose: "integrity", cause: CryptoError::WrongKey };
    assert_eq!(refusal(&rows, &vk(2), &VAULT), wrong);
    assert_eq!(refusal(&rows, &vk(1), &[4; 16]), wrong);
    let mut swapped = rows.clone();
    let wrapped = swapped[0].wrapped.clone();
    swapped[0].wrapped = std::mem::replace(&mut swapped[1].wrapped, wrapped);
    assert_eq!(refusal(&swapped, &vk(1), &VAULT), wrong);
    let mut aged = rows;
    aged[1].term = 2;
    assert_eq!(refusal(&aged, &vk(1), &VAULT), wrong);
}
