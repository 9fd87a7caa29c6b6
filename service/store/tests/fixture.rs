//! A store of every schema ever released opens and has all its rows.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::account::{assert_whole, watch};
use common::*;
use tokenvault_core::port::{
    AuditRow, IssuedRow, KeyringRow, MetaKey, NewShare, ShareRow, SlotRow, TokenRow, VersionHead, VersionRow,
};
use tokenvault_store::{SCHEMA, SqliteStore};

fn fixture(schema: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/schema-{schema}.db"))
}

fn slot() -> SlotRow {
    SlotRow {
        id: 1,
        kind: "recovery".into(),
        body: noise(1, 120),
        wrapped_vk: noise(2, 113),
        wrapped_kek: noise(3, 113),
        created: 1_700_000_000_000_000,
    }
}

fn key() -> KeyringRow {
    KeyringRow { purpose: "tokens".into(), term: 1, wrapped: noise(4, 113) }
}

fn link(seq: u64) -> AuditRow {
    AuditRow { seq, record: noise(seq, 90), chain: [seq as u8; 32] }
}

fn share() -> ShareRow {
    ShareRow { id: 2, token: 3, grantee_tag: tag("unit:app.service"), expires_day: Some(20_000), meta: noise(5, 150) }
}

/// A token, a code, and an offer of token 3.
fn issued(kind: u8) -> IssuedRow {
    IssuedRow {
        id: i64::from(kind) + 1,
        principal: 1,
        kind,
        tag: tag(&format!("issued {kind}")),
        hash: tag(&format!("secret {kind}")),
        token: (kind == 2).then_some(3),
        expires_day: 20_000,
        meta: noise(7 + u64::from(kind), 240),
    }
}

/// A version whose value lies in chunks.
fn in_chunks() -> VersionRow {
    let row = version_row(3, 2, b"");
    VersionRow { head: VersionHead { content: Some(1), ..row.head }, ..row }
}

/// At least one row of every kind, a value with overflow pages, and numbers that were given and deleted.
fn fill(store: &SqliteStore) {
    watch(store);
    write(store, |tx| {
        tx.set_meta(MetaKey::VaultId, &[7; 16])?;
        tx.insert_slot(&slot())?;
        tx.put_keyring(&key())?;
        (1..=5).try_for_each(|seq| tx.append_audit(&link(seq)))?;
        tx.prune_audit(2).map(|_| ())
    })
    .unwrap();
    let alice = add_principal(store, 1000);
    for (number, size) in [0, 64, 1000, 20_000].into_iter().enumerate() {
        put(store, alice, &format!("t{number}"), &noise(number as u64 + 1, size)).unwrap();
    }
    put(store, alice, "gone", b"value").unwrap();
    delete(store, id_of(store, alice, "gone").unwrap()).unwrap();
    let id = id_of(store, alice, "t1").unwrap();
    write(store, move |tx| {
        tx.add_usage(alice, -1, -5)?;
        tx.insert_version(&version_row(id, 2, b"second"))?;
        let row = tx.token(alice, &tag("t1"))?.unwrap();
        tx.update_token(&TokenRow { current: 2, newest: 2, ..row })?;
        tx.set_attributes(id, &[[9; 16]])?;
        let gone = tx.insert_share(&NewShare { token: id, grantee_tag: &share().grantee_tag })?;
        tx.delete_share(gone)?;
        tx.insert_share(&NewShare { token: 3, grantee_tag: &share().grantee_tag })?;
        tx.update_share(&share())?;
        tx.set_login(alice, &noise(6, 200))?;
        (0..3).try_for_each(|kind| tx.insert_issued(&issued(kind)))?;
        tx.add_issued(alice, 3)?;
        let content = tx.begin_content(alice)?;
        (0..2).try_for_each(|number| tx.insert_chunk(content, number, &noise(20 + u64::from(number), 300)))?;
        tx.hold_for_content(content, 600)?;
        tx.use_content(content)?;
        tx.insert_version(&in_chunks())?;
        // Gone, and left over.
        tx.begin_content(alice)?;
        tx.begin_content(alice).map(drop)
    })
    .unwrap();
}

fn check(store: &SqliteStore, written_by: u32) {
    store.verify_structure().unwrap();
    assert_eq!(read(store, |tx| tx.meta(MetaKey::RowSum)).is_some(), written_by >= 7);
    // An older store has no sum, and is given one.
    watch(store);
    write(store, |tx| tx.set_meta(MetaKey::InstanceId, &[8; 16])).unwrap();
    assert_whole(store);
    assert_eq!(read(store, |tx| tx.meta(MetaKey::VaultId)), Some(vec![7; 16]));
    assert_eq!(read(store, |tx| tx.slots()), [slot()]);
    assert_eq!(read(store, |tx| tx.keyring()), [key()]);
    assert_eq!(read(store, |tx| tx.audit(0, 10)), [link(3), link(4), link(5)]);
    let alice = read(store, |tx| tx.principal(&principal_row(1000).uid_tag)).unwrap();
    assert_eq!((alice.id, alice.tokens, alice.bytes), (1, 4, 21_064));
    for (number, size) in [(0, 0), (2, 1000), (3, 20_000)] {
        assert_eq!(value_of(store, 1, &format!("t{number}")), Some(noise(number + 1, size)));
    }
    assert_eq!(value_of(store, 1, "t1").as_deref(), Some(&b"second"[..]));
    assert_eq!(read(store, |tx| tx.version(2, 1)), Some(version_row(2, 1, &noise(2, 64))));
    assert_eq!(read(store, |tx| tx.tokens(1, &[[9; 16]], 0, 10)).len(), 1);
    // An older store has none, and takes one.
    let shares = if written_by < 2 { Vec::new() } else { vec![share()] };
    assert_eq!(read(store, |tx| tx.shares(3)), shares);
    assert_eq!(read(store, |tx| tx.ended_shares(20_000, None, 9)).len(), shares.len());
    assert_eq!(read(store, |tx| tx.ended_shares(19_999, None, 9)), []);
    assert_eq!(read(store, |tx| tx.login(1)), (written_by >= 3).then(|| noise(6, 200)));
    let issued_then: Vec<IssuedRow> = if written_by < 5 { Vec::new() } else { (0..3).map(issued).collect() };
    assert_eq!(read(store, |tx| tx.issued_by(1, (0, 0), 10)), issued_then);
    assert_eq!(alice.issued, issued_then.len() as u64);
    assert_eq!(read(store, |tx| tx.offers(3)).len(), usize::from(written_by >= 5));
    write(store, |tx| tx.delete_issued(&issued(2).tag).map(drop)).unwrap();
    write(store, |tx| tx.insert_issued(&issued(2))).unwrap();
    assert_eq!(read(store, |tx| tx.offers(3)).len(), 1);
    assert_eq!(read(store, |tx| tx.version(3, 2)), (written_by >= 6).then(in_chunks));
    assert_eq!(read(store, |tx| tx.has_content(1)), written_by >= 6);
    assert_eq!(read(store, |tx| tx.chunk(1, 1)), (written_by >= 6).then(|| noise(21, 300)));
    write(store, move |tx| {
        let content = tx.begin_content(1)?;
        assert_eq!(content, if written_by < 6 { 1 } else { 4 }, "the number of a content is not given again");
        tx.abandon_content(content).map(drop)
    })
    .unwrap();
    write(store, |tx| tx.set_login(1, b"anew")).unwrap();
    assert_eq!(read(store, |tx| tx.login(1)), Some(b"anew".to_vec()));
    write(store, move |tx| {
        let id = tx.insert_share(&NewShare { token: 2, grantee_tag: &share().grantee_tag })?;
        assert_eq!(id, if written_by < 2 { 1 } else { 3 }, "the number of the deleted share is not given again");
        Ok(())
    })
    .unwrap();
    // The number of the deleted token is not given again.
    put(store, 1, "next", b"value").unwrap();
    assert_eq!(id_of(store, 1, "next"), Some(6));
}

#[test]
fn a_store_of_every_released_schema_opens_with_all_its_rows() {
    for schema in 1..=SCHEMA {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        let vault = dir.path().join("vault.db");
        fs::copy(fixture(schema), &vault).expect("every released schema has its fixture; see tests/fixtures/README.md");
        check(&open(dir.path()), schema);
        let copy = dir.path().join(format!("vault.db.before-{schema}"));
        assert_eq!(copy.exists(), schema < SCHEMA, "a real upgrade leaves a copy");
    }
}

#[test]
#[ignore = "writes the fixture of the present schema; run by hand once, before the schema is released"]
fn make_the_fixture_of_the_present_schema() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    fill(&store);
    drop(store);
    assert!(!fixture(SCHEMA).exists(), "a released fixture is frozen");
    fs::copy(state.join("vault.db"), fixture(SCHEMA)).unwrap();
}
