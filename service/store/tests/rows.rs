//! Every row of the port goes in and comes out as it was.

mod common;

use std::collections::HashSet;

use common::*;
use tokenvault_core::port::{AuditRow, KeyringRow, MetaKey, NewToken, SlotRow, Store, StoreError, TokenRow, Totals};

#[test]
fn single_values_are_set_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let keys = [
        MetaKey::VaultId,
        MetaKey::InstanceId,
        MetaKey::SlotMac,
        MetaKey::RecoveryConfirmed,
        MetaKey::AuditBase,
        MetaKey::TrustedTime,
        MetaKey::HeededNotes,
    ];
    for (at, key) in keys.into_iter().enumerate() {
        assert_eq!(read(&store, |tx| tx.meta(key)), None);
        write(&store, move |tx| tx.set_meta(key, b"first")).unwrap();
        write(&store, move |tx| tx.set_meta(key, &[at as u8; 16])).unwrap();
    }
    for (at, key) in keys.into_iter().enumerate() {
        assert_eq!(read(&store, |tx| tx.meta(key)), Some(vec![at as u8; 16]));
    }
}

#[test]
fn a_slot_number_is_never_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let row = |kind: &str| SlotRow {
        id: 0,
        kind: kind.into(),
        body: b"body".to_vec(),
        wrapped_vk: b"vk".to_vec(),
        wrapped_kek: b"kek".to_vec(),
        created: 1_700_000_000_000_000,
    };
    write(&store, move |tx| tx.insert_slot(&row("tpm2")).map(|id| assert_eq!(id, 1))).unwrap();
    write(&store, move |tx| tx.insert_slot(&row("recovery")).map(|id| assert_eq!(id, 2))).unwrap();
    write(&store, |tx| tx.delete_slot(2).map(|there| assert!(there))).unwrap();
    write(&store, |tx| tx.delete_slot(2).map(|there| assert!(!there))).unwrap();
    write(&store, move |tx| tx.insert_slot(&row("passphrase")).map(|id| assert_eq!(id, 3))).unwrap();
    write(&store, move |tx| tx.update_slot(&SlotRow { id: 3, body: b"new".to_vec(), ..row("ignored") })).unwrap();
    let slots = read(&store, |tx| tx.slots());
    assert_eq!(
        slots.iter().map(|slot| (slot.id, slot.kind.as_str())).collect::<Vec<_>>(),
        [(1, "tpm2"), (3, "passphrase")]
    );
    assert_eq!(slots[1], SlotRow { id: 3, body: b"new".to_vec(), ..row("passphrase") });
}

#[test]
fn a_key_of_the_keyring_is_replaced_by_purpose_and_term() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let key = |term, wrapped: &[u8]| KeyringRow { purpose: "index".into(), term, wrapped: wrapped.to_vec() };
    write(&store, move |tx| {
        tx.put_keyring(&key(1, b"old"))?;
        tx.put_keyring(&key(2, b"next"))?;
        tx.put_keyring(&key(1, b"new"))
    })
    .unwrap();
    assert_eq!(read(&store, |tx| tx.keyring()), [key(1, b"new"), key(2, b"next")]);
}

#[test]
fn a_principal_and_its_counters_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let (alice, bob) = (add_principal(&store, 1000), add_principal(&store, 1001));
    write(&store, move |tx| {
        tx.add_usage(alice, 3, 300)?;
        tx.add_usage(alice, -1, -100)?;
        tx.add_usage(bob, 1, 64)
    })
    .unwrap();
    assert_eq!(read(&store, |tx| tx.totals()), Totals { tokens: 3, bytes: 264, issued: 0 });
    let mut row = read(&store, |tx| tx.principal_by_id(alice)).unwrap();
    assert_eq!((row.tokens, row.bytes), (2, 200));
    row.record = b"another".to_vec();
    let changed = row.clone();
    write(&store, move |tx| tx.update_principal(&changed)).unwrap();
    assert_eq!(read(&store, |tx| tx.principal(&row.uid_tag)), Some(row));
}

#[test]
fn counters_never_go_below_zero() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    let (work, told) = job(move |tx| {
        let refused = tx.add_usage(alice, -1, 0);
        assert!(matches!(refused, Err(StoreError::Internal(_))), "{refused:?}");
        tx.add_usage(alice, 0, -10)?;
        tx.add_usage(alice, 1, 10)
    });
    store.submit(Box::new(work));
    told.recv().unwrap().unwrap();
    assert_eq!(read(&store, |tx| tx.totals()), Totals { tokens: 1, bytes: 10, issued: 0 });
}

#[test]
fn a_token_is_found_by_its_tag_only_by_its_principal() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let (alice, bob) = (add_principal(&store, 1000), add_principal(&store, 1001));
    put(&store, alice, "mail", b"value").unwrap();
    let (token, version) = read(&store, |tx| tx.token_with_value(alice, &tag("mail"), None)).unwrap();
    assert_eq!(version, version_row(token.id, 1, b"value"));
    assert_eq!(token.name_tag, tag("mail"));
    assert_eq!(token.meta, b"meta of mail");
    assert_eq!(read(&store, |tx| tx.token(alice, &tag("mail"))), Some(token));
    assert_eq!(id_of(&store, bob, "mail"), None);
    assert_eq!(value_of(&store, bob, "mail"), None);
    assert_eq!(value_of(&store, alice, "other"), None);
}

#[test]
fn versions_are_kept_apart_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    put(&store, alice, "mail", b"one").unwrap();
    put(&store, alice, "next", b"another token").unwrap();
    let id = id_of(&store, alice, "mail").unwrap();
    write(&store, move |tx| {
        tx.insert_version(&version_row(id, 2, b"two"))?;
        tx.insert_version(&version_row(id, 3, b"three"))?;
        let row = tx.token(alice, &tag("mail"))?.unwrap();
        tx.update_token(&TokenRow { current: 3, newest: 3, ..row })
    })
    .unwrap();
    let value =
        |number| read(&store, |tx| tx.token_with_value(alice, &tag("mail"), number)).map(|(_, version)| version.value);
    assert_eq!(value(None).as_deref(), Some(&b"three"[..]));
    assert_eq!(value(Some(1)).as_deref(), Some(&b"one"[..]));
    for none in [0, 4, 1 << 28, u64::MAX] {
        assert_eq!(value(Some(none)), None);
        assert_eq!(read(&store, |tx| tx.version(id, none)), None);
    }
    let numbers: Vec<_> = read(&store, |tx| tx.versions(id)).iter().map(|head| head.version).collect();
    assert_eq!(numbers, [1, 2, 3]);
    write(&store, move |tx| {
        let mut head = tx.version_head(id, 2)?.unwrap();
        head.class = 1;
        head.expires_day = None;
        tx.update_version(&head)?;
        assert_eq!(tx.delete_version(id, 1)?.map(|head| head.version), Some(1));
        assert_eq!(tx.delete_version(id, 1)?, None);
        Ok(())
    })
    .unwrap();
    let second = read(&store, |tx| tx.version(id, 2)).unwrap();
    assert_eq!((second.head.class, second.head.expires_day, second.value), (1, None, b"two".to_vec()));
    assert_eq!(read(&store, |tx| tx.version(id, 1)), None);
}

#[test]
fn a_deleted_token_takes_everything_with_it_and_its_number_never_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    put(&store, alice, "mail", b"one").unwrap();
    let first = id_of(&store, alice, "mail").unwrap();
    write(&store, move |tx| tx.set_attributes(first, &[[7; 16]])).unwrap();
    delete(&store, first).unwrap();
    assert_eq!(id_of(&store, alice, "mail"), None);
    assert_eq!(read(&store, |tx| tx.version_head(first, 1)), None);
    put(&store, alice, "mail", b"two").unwrap();
    let second = id_of(&store, alice, "mail").unwrap();
    assert!(second > first);
    assert!(read(&store, |tx| tx.tokens(alice, &[[7; 16]], 0, 10)).is_empty());
}

#[test]
fn a_tag_belongs_to_one_token() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let (alice, bob) = (add_principal(&store, 1000), add_principal(&store, 1001));
    put(&store, alice, "mail", b"one").unwrap();
    write(&store, move |tx| {
        let taken = tx.insert_token(&NewToken { principal: bob, name_tag: &tag("mail") });
        assert!(matches!(taken, Err(StoreError::Internal(_))), "{taken:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn pages_of_tokens_meet_without_gap_or_overlap() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let (alice, bob) = (add_principal(&store, 1000), add_principal(&store, 1001));
    write(&store, move |tx| {
        for number in 0..57 {
            insert(tx, alice, &format!("a{number}"), b"value")?;
            insert(tx, bob, &format!("b{number}"), b"value")?;
        }
        Ok(())
    })
    .unwrap();
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page = read(&store, |tx| tx.tokens(alice, &[], after, 10));
        let Some((last, _)) = page.last() else { break };
        after = last.id;
        seen.extend(page.into_iter().inspect(|(token, head)| {
            assert_eq!((token.principal, head.token, head.version), (alice, token.id, 1));
        }));
    }
    assert_eq!(seen.len(), 57);
    assert_eq!(seen.iter().map(|(token, _)| token.name_tag).collect::<HashSet<_>>().len(), 57);
    assert!(seen.windows(2).all(|pair| pair[0].0.id < pair[1].0.id));
}

#[test]
fn a_list_by_attributes_has_only_tokens_that_carry_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let (alice, bob) = (add_principal(&store, 1000), add_principal(&store, 1001));
    let (work, prod, both) = ([1; 16], [2; 16], [[2; 16], [1; 16]]);
    write(&store, move |tx| {
        for number in 0..20 {
            let id = insert(tx, alice, &format!("a{number}"), b"value")?;
            let tags = [(number % 2 == 0, work), (number % 3 == 0, prod)];
            let tags: Vec<_> = tags.into_iter().filter_map(|(has, tag)| has.then_some(tag)).collect();
            tx.set_attributes(id, &tags)?;
        }
        let theirs = insert(tx, bob, "b", b"value")?;
        tx.set_attributes(theirs, &both)
    })
    .unwrap();
    let count = |tags: &[[u8; 16]]| read(&store, |tx| tx.tokens(alice, tags, 0, 100)).len();
    assert_eq!((count(&[work]), count(&[prod]), count(&both), count(&[[9; 16]])), (10, 7, 4, 0));
    let first = read(&store, |tx| tx.tokens(alice, &both, 0, 3));
    let rest = read(&store, |tx| tx.tokens(alice, &both, first[2].0.id, 3));
    assert_eq!((first.len(), rest.len()), (3, 1));
    let id = first[0].0.id;
    write(&store, move |tx| tx.set_attributes(id, &[[5; 16], [5; 16]])).unwrap();
    assert_eq!((count(&both), count(&[[5; 16]])), (3, 1));
}

#[test]
fn the_audit_chain_only_grows_at_its_head_and_shrinks_at_its_tail() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let link = |seq: u64| AuditRow { seq, record: format!("record {seq}").into_bytes(), chain: [seq as u8; 32] };
    assert_eq!(read(&store, |tx| tx.audit_head()), None);
    write(&store, move |tx| (1..=10).try_for_each(|seq| tx.append_audit(&link(seq)))).unwrap();
    write(&store, move |tx| {
        for wrong in [0, 5, 10, 12, u64::MAX] {
            assert!(matches!(tx.append_audit(&link(wrong)), Err(StoreError::Internal(_))), "{wrong}");
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(read(&store, |tx| tx.audit_head()), Some(link(10)));
    write(&store, |tx| tx.prune_audit(4).map(|count| assert_eq!(count, 4))).unwrap();
    assert_eq!(read(&store, |tx| tx.audit(0, 3)), [link(5), link(6), link(7)]);
    assert_eq!(read(&store, |tx| tx.audit(9, 3)), [link(10)]);
    assert!(read(&store, |tx| tx.audit(u64::MAX, 3)).is_empty());
    write(&store, move |tx| tx.append_audit(&link(11))).unwrap();
}

#[test]
fn everything_is_there_after_closing_and_opening() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    put(&store, alice, "mail", &noise(1, 70_000)).unwrap();
    drop(store);
    assert!(!state.join("vault.db-wal").exists(), "a clean end leaves no log");
    let store = open(&state);
    assert_eq!(value_of(&store, alice, "mail"), Some(noise(1, 70_000)));
    store.verify_structure().unwrap();
}

#[test]
fn versions_are_counted_of_a_token_and_of_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    put(&store, alice, "a", b"1").unwrap();
    put(&store, alice, "b", b"1").unwrap();
    let id = id_of(&store, alice, "a").unwrap();
    write(&store, move |tx| tx.insert_version(&version_row(id, 2, b"2"))).unwrap();
    assert_eq!(read(&store, |tx| tx.count_versions_of(id)), 2);
    assert_eq!(read(&store, |tx| tx.count_versions_of(id + 1)), 1);
    assert_eq!(read(&store, |tx| tx.count_versions()), 3);
}
