//! The sum over the rows is that of the rows, whatever becomes of the jobs that change them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::sync::atomic::Ordering;

use common::account::{Plain, assert_whole, watch};
use common::*;
use tokenvault_core::port::{
    AuditRow, IssuedRow, KeyringRow, MetaKey, NewShare, ShareRow, SlotRow, Store, StoreError, TokenRow, WriteTx,
};
use tokenvault_store::SqliteStore;

fn put_all_kinds(tx: &mut dyn WriteTx, principal: i64, name: &str) -> Result<(), StoreError> {
    let token = insert(tx, principal, name, b"value")?;
    tx.set_attributes(token, &[[7; 16], [8; 16]])?;
    let grantee_tag = tag(name);
    let id = tx.insert_share(&NewShare { token, grantee_tag: &grantee_tag })?;
    tx.update_share(&ShareRow { id, token, grantee_tag, expires_day: None, meta: b"share".to_vec() })?;
    tx.set_login(principal, name.as_bytes())?;
    let row = IssuedRow {
        id: 0,
        principal,
        kind: 2,
        tag: tag(name),
        hash: tag("hash"),
        token: Some(token),
        expires_day: 20_000,
        meta: b"offer".to_vec(),
    };
    tx.insert_issued(&row)
}

/// What one job does.
type Step = Box<dyn FnMut(&mut dyn WriteTx) -> Told + Send>;

fn slot(body: &[u8]) -> SlotRow {
    SlotRow { id: 0, kind: "tpm2".into(), body: body.to_vec(), wrapped_vk: vec![1], wrapped_kek: vec![2], created: 3 }
}

#[test]
fn every_change_of_every_table_is_in_the_sum() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    // What was there before is in it as well.
    write(&store, move |tx| put_all_kinds(tx, alice, "before")).unwrap();
    watch(&store);
    write(&store, move |tx| put_all_kinds(tx, alice, "a")).unwrap();
    assert_whole(&store);
    let bob = add_principal(&store, 1001);
    assert_whole(&store);
    let token = read(&store, |tx| Ok(tx.token(alice, &tag("a"))?.unwrap()));
    let share = read(&store, |tx| Ok(tx.share(token.id, &tag("a"))?.unwrap()));
    let (id, renamed) = (token.id, TokenRow { name_tag: tag("b"), ..token });
    let steps: Vec<Step> = vec![
        Box::new(move |tx| tx.update_token(&renamed)),
        Box::new(move |tx| tx.insert_version(&version_row(id, 2, b"second"))),
        Box::new(move |tx| tx.update_version(&version_row(id, 2, b"").head)),
        Box::new(move |tx| tx.delete_version(id, 1).map(drop)),
        Box::new(move |tx| tx.set_attributes(id, &[[9; 16]])),
        Box::new(move |tx| tx.update_share(&ShareRow { expires_day: Some(1), ..share.clone() })),
        Box::new(move |tx| tx.set_login(alice, b"again")),
        Box::new(move |tx| tx.set_login(bob, b"his")),
        Box::new(move |tx| tx.delete_issued(&tag("a")).map(drop)),
        Box::new(move |tx| tx.set_meta(MetaKey::TrustedTime, b"then")),
        Box::new(move |tx| tx.set_meta(MetaKey::TrustedTime, b"now")),
        Box::new(move |tx| tx.put_keyring(&KeyringRow { purpose: "index".into(), term: 1, wrapped: vec![1] })),
        Box::new(move |tx| tx.insert_slot(&slot(b"body")).map(drop)),
        Box::new(move |tx| tx.update_slot(&SlotRow { id: 1, ..slot(b"another") })),
        Box::new(move |tx| tx.delete_slot(1).map(drop)),
        // With what hangs on them.
        Box::new(move |tx| tx.delete_principal(bob)),
        Box::new(move |tx| tx.delete_token(id)),
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let before = read(&store, |tx| tx.meta(MetaKey::RowSum));
        write(&store, step).unwrap();
        assert_ne!(read(&store, |tx| tx.meta(MetaKey::RowSum)), before, "step {number}");
        assert_whole(&store);
    }
}

#[test]
fn what_was_undone_is_not_in_the_sum() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    watch(&store);
    let (release, first) = occupy(&store);
    let fails = || StoreError::Internal("for a test".into());
    let jobs = [
        job(move |tx| put_all_kinds(tx, alice, "one")),
        job(move |tx| put_all_kinds(tx, alice, "two").and(Err(fails()))),
        job(move |tx| {
            put_all_kinds(tx, alice, "three")?;
            panic!("for a test")
        }),
        job(move |tx| put_all_kinds(tx, alice, "four")),
    ];
    let told: Vec<_> = jobs
        .into_iter()
        .map(|(work, told)| {
            store.submit(Box::new(work));
            told
        })
        .collect();
    drop(release);
    first.recv().unwrap().unwrap();
    told.into_iter().for_each(|told| drop(told.recv().unwrap()));
    assert_eq!(read(&store, |tx| tx.totals()).tokens, 2, "the others were undone");
    assert_whole(&store);
}

#[test]
fn rows_of_which_there_is_a_sum_are_not_changed_while_nobody_accounts_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    let plain = watch(&store);
    write(&store, move |tx| put_all_kinds(tx, alice, "one")).unwrap();
    let refused = |store: &SqliteStore| {
        let link = AuditRow { seq: 1, record: vec![1], chain: [1; 32] };
        // What shares their transaction goes on.
        let (release, first) = occupy(store);
        let (put, told_of_put) = job(move |tx| put_all_kinds(tx, alice, "two"));
        let (append, told_of_link) = job(move |tx| tx.append_audit(&link));
        let (count, told_of_count) = job(move |tx| tx.add_usage(alice, 0, 1));
        store.submit(Box::new(put));
        store.submit(Box::new(append));
        store.submit(Box::new(count));
        drop(release);
        first.recv().unwrap().unwrap();
        for told in [told_of_put.recv().unwrap(), told_of_link.recv().unwrap()] {
            assert!(matches!(told, Err(StoreError::Internal(_))), "{told:?}");
        }
        told_of_count.recv().unwrap().unwrap();
        assert_eq!(read(store, |tx| tx.audit_head()), None);
        assert_whole(store);
    };
    plain.closed.store(true, Ordering::Relaxed);
    refused(&store);
    drop(store);
    let store = open(&state);
    refused(&store);
    watch(&store);
    write(&store, move |tx| put_all_kinds(tx, alice, "two")).unwrap();
    assert_whole(&store);
}

#[test]
fn who_wants_no_more_of_a_walk_is_asked_in_its_course() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    for number in 0..200 {
        put(&store, alice, &format!("t{number}"), b"1").unwrap();
    }
    let mut asked = 0;
    let mut walk = |most: u64| {
        read(&store, |tx| {
            tx.sum_rows(&Plain::default(), &mut |rows| {
                asked = rows;
                rows < most
            })
        })
    };
    assert_eq!(walk(1), None);
    assert!(walk(u64::MAX).is_some());
    assert!((256..=601).contains(&asked), "{asked}");
}
