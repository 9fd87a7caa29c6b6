//! What the suites of this crate share: jobs made of closures, and rows that are easy to recognise.
#![allow(dead_code)] // Each suite uses its own part.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

pub mod account;

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokenvault_core::port::{
    JobFailure, NewToken, PrincipalRow, ReadTx, Store, StoreError, Tag, TokenRow, VersionHead, VersionRow, WriteJob,
    WriteTx,
};
use tokenvault_store::{SqliteStore, StoreOptions};

/// How a job ended, as it was told.
pub type Told = Result<(), StoreError>;

type Run = Box<dyn FnMut(&mut dyn WriteTx) -> Result<(), JobFailure> + Send>;

/// A job made of a closure, which reports to a channel.
pub struct Work {
    run: Run,
    told: Sender<Told>,
    frees: bool,
    erases: bool,
}

impl WriteJob for Work {
    fn run(&mut self, tx: &mut dyn WriteTx) -> Result<(), JobFailure> {
        (self.run)(tx)
    }

    fn finish(self: Box<Self>, committed: Told) {
        let _ = self.told.send(committed);
    }

    fn frees(&self) -> bool {
        self.frees
    }

    fn erases(&self) -> bool {
        self.erases
    }
}

/// A job that fails when any of its statements does, as the domain's jobs do.
pub fn job(mut run: impl FnMut(&mut dyn WriteTx) -> Told + Send + 'static) -> (Work, Receiver<Told>) {
    let (told, receiver) = channel();
    let run: Run = Box::new(move |tx| run(tx).map_err(|_| JobFailure));
    (Work { run, told, frees: false, erases: false }, receiver)
}

/// A job that removes something.
pub fn delete_job(run: impl FnMut(&mut dyn WriteTx) -> Told + Send + 'static) -> (Work, Receiver<Told>) {
    let (work, receiver) = job(run);
    (Work { frees: true, erases: true, ..work }, receiver)
}

/// Writes and waits for the answer.
pub fn write(store: &SqliteStore, run: impl FnMut(&mut dyn WriteTx) -> Told + Send + 'static) -> Told {
    let (work, told) = job(run);
    store.submit(Box::new(work));
    told.recv().expect("a job is told how it ended")
}

/// Deletes a token and waits for the answer.
pub fn delete(store: &SqliteStore, id: i64) -> Told {
    let (work, told) = delete_job(move |tx| tx.delete_token(id));
    store.submit(Box::new(work));
    told.recv().expect("a job is told how it ended")
}

/// Reads one thing on a snapshot of its own.
pub fn read<T>(store: &SqliteStore, mut work: impl FnMut(&dyn ReadTx) -> Result<T, StoreError>) -> T {
    let mut found = None;
    let read = store.read(&mut |tx| {
        found = Some(work(tx)?);
        Ok(())
    });
    read.expect("a read works");
    found.expect("a read that worked found something")
}

pub fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(dir, StoreOptions::default()).expect("the store opens")
}

/// A tag that is equal for equal texts.
pub fn tag(text: &str) -> Tag {
    let mut tag = [0; 32];
    for (slot, byte) in tag.iter_mut().zip(text.bytes()) {
        *slot = byte;
    }
    tag
}

pub fn principal_row(uid: u32) -> PrincipalRow {
    PrincipalRow {
        id: 0,
        uid_tag: tag(&format!("uid {uid}")),
        generation: [uid as u8; 16],
        record: format!("record of {uid}").into_bytes(),
        key: format!("key of {uid}").into_bytes(),
        tokens: 0,
        bytes: 0,
        issued: 0,
    }
}

/// Adds a principal; its number.
pub fn add_principal(store: &SqliteStore, uid: u32) -> i64 {
    write(store, move |tx| tx.insert_principal(&principal_row(uid)).map(|_| ())).expect("a principal is added");
    read(store, |tx| tx.principal(&principal_row(uid).uid_tag)).expect("it is there").id
}

pub fn version_row(token: i64, version: u64, value: &[u8]) -> VersionRow {
    let head = VersionHead {
        content: None,
        token,
        version,
        class: 0,
        expires_day: Some(20_000),
        stored_bytes: value.len() as u64,
        meta: format!("meta of version {version}").into_bytes(),
        dek: format!("dek of {token}/{version}").into_bytes(),
    };
    VersionRow { head, value: value.to_vec() }
}

/// The statements of a put of a new token.
pub fn insert(tx: &mut dyn WriteTx, principal: i64, name: &str, value: &[u8]) -> Result<i64, StoreError> {
    let name_tag = tag(name);
    let id = tx.insert_token(&NewToken { principal, name_tag: &name_tag })?;
    tx.insert_version(&version_row(id, 1, value))?;
    let meta = format!("meta of {name}").into_bytes();
    tx.update_token(&TokenRow { id, principal, name_tag, current: 1, newest: 1, meta })?;
    tx.add_usage(principal, 1, value.len() as i64)?;
    Ok(id)
}

/// Puts a new token and waits for the answer.
pub fn put(store: &SqliteStore, principal: i64, name: &str, value: &[u8]) -> Told {
    let (name, value) = (name.to_owned(), value.to_vec());
    write(store, move |tx| insert(tx, principal, &name, &value).map(|_| ()))
}

/// The number of a token.
pub fn id_of(store: &SqliteStore, principal: i64, name: &str) -> Option<i64> {
    read(store, |tx| tx.token(principal, &tag(name))).map(|token| token.id)
}

/// The value of the current version of a token.
pub fn value_of(store: &SqliteStore, principal: i64, name: &str) -> Option<Vec<u8>> {
    read(store, |tx| tx.token_with_value(principal, &tag(name), None)).map(|(_, version)| version.value)
}

/// Bytes that compress to nothing and are found nowhere else.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(len).collect()
}

/// Waits until something the writer does by itself has happened.
pub fn wait_until(what: &str, within: Duration, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !happened() {
        assert!(Instant::now() < deadline, "{what} did not happen within {within:?}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// Keeps the writer busy with one job until the sender is used or dropped; returns when the writer has begun it.
pub fn occupy(store: &SqliteStore) -> (Sender<()>, Receiver<Told>) {
    let (begun_sender, begun) = channel();
    let (release, released) = channel::<()>();
    let (work, told) = job(move |_| {
        let _ = begun_sender.send(());
        let _ = released.recv();
        Ok(())
    });
    store.submit(Box::new(work));
    begun.recv().expect("the writer begins the job");
    (release, told)
}
