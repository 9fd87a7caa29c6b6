//! A restored store takes the place of the one in use, and it is told what has happened where that does not end well.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokenvault_core::Error;
use tokenvault_core::caller::Caller;
use tokenvault_core::port::{
    Cell, HeapMemory, ReadTx, Replacement, SealError, Store, StoreCounters, StoreError, StoreStatus, Taken, WriteJob,
    WriteTx,
};
use tokenvault_core::vault::{AnchorState, HostKey, NewSlot, RestoreRequest, Settings, State, Vault, daemon};
use tokenvault_store::{SqliteStore, StoreOptions};

use crate::fixture::*;

/// How an exchange ends.
#[derive(Clone, Copy)]
enum Ends {
    /// Before anything has happened.
    Before,
    /// After it has, with a store that cannot be used.
    Unusable,
}

/// A store whose next exchange ends so.
struct Failing {
    store: SqliteStore,
    ends: Arc<Mutex<Option<Ends>>>,
    /// How often the disk was full.
    cramped: Arc<AtomicU64>,
}

impl Store for Failing {
    fn read(&self, work: &mut dyn FnMut(&dyn ReadTx) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.store.read(work)
    }

    fn read_aside(&self, work: &mut dyn FnMut(&dyn ReadTx) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.store.read_aside(work)
    }

    fn submit(&self, job: Box<dyn WriteJob>) {
        self.store.submit(job);
    }

    fn status(&self) -> StoreStatus {
        StoreStatus { cramped: self.cramped.load(Ordering::Relaxed), ..self.store.status() }
    }

    fn counters(&self) -> StoreCounters {
        self.store.counters()
    }

    fn schema(&self) -> u32 {
        self.store.schema()
    }

    fn begin_replacement(&self, schema: u32) -> Result<Box<dyn Replacement>, StoreError> {
        Ok(Box::new(Other { inner: self.store.begin_replacement(schema)?, ends: Arc::clone(&self.ends) }))
    }
}

struct Other {
    inner: Box<dyn Replacement>,
    ends: Arc<Mutex<Option<Ends>>>,
}

impl Replacement for Other {
    fn begin_table(&mut self, name: &str, columns: &[&str]) -> Result<(), StoreError> {
        self.inner.begin_table(name, columns)
    }

    fn insert(&mut self, cells: &[Cell<'_>]) -> Result<(), StoreError> {
        self.inner.insert(cells)
    }

    fn complete(&mut self) -> Result<(), StoreError> {
        self.inner.complete()
    }

    fn write(&mut self, work: &mut dyn FnMut(&mut dyn WriteTx) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.inner.write(work)
    }

    fn take_place(self: Box<Self>, keep: bool) -> Result<Taken, StoreError> {
        let Self { inner, ends } = *self;
        match ends.lock().unwrap().take() {
            Some(Ends::Before) => Err(StoreError::Io("told to fail".into())),
            Some(Ends::Unusable) => {
                let taken = inner.take_place(keep)?;
                Ok(Taken { unusable: Some(StoreError::Io("told to be lost".into())), ..taken })
            }
            None => inner.take_place(keep),
        }
    }
}

/// A vault on a machine with a TPM, over such a store.
struct Place {
    vault: Arc<Vault>,
    ends: Arc<Mutex<Option<Ends>>>,
    cramped: Arc<AtomicU64>,
    tpm: Arc<ScriptedCounter>,
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self::open(Home::bare_directory(), Arc::default());
        place.vault.create(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
        place
    }

    fn open(dir: tempfile::TempDir, tpm: Arc<ScriptedCounter>) -> Self {
        let (ends, cramped) = (Arc::default(), Arc::<AtomicU64>::default());
        let mut store = None;
        wait_until("the store to be let go", || {
            store = SqliteStore::open(dir.path(), StoreOptions::default()).ok();
            store.is_some()
        });
        let store = Arc::new(Failing { store: store.unwrap(), ends: Arc::clone(&ends), cramped: Arc::clone(&cramped) });
        let clock = Arc::new(tokenvault_core::port::ManualClock::new(START));
        let vault = Vault::new(store, Arc::new(HeapMemory), clock, Settings::default());
        vault.count_with(Arc::<ScriptedCounter>::clone(&tpm));
        vault.look("no slot was tried").unwrap();
        Self { vault, ends, cramped, tpm, dir }
    }

    /// Ends the daemon and starts it again, before it has done anything more.
    fn restart(self) -> Self {
        let Self { vault, dir, tpm, .. } = self;
        drop(vault);
        let place = Self::open(dir, tpm);
        place.vault.unseal_unattended(&daemon(), &ScriptedSealer::default(), &HostKey::NotAllowed).unwrap();
        place
    }

    fn put(&self, value: &[u8]) {
        User::new(&self.vault, ALICE).put("a", value).unwrap();
        self.vault.verify_rows(&Unwatched).unwrap();
        self.vault.raise_anchor().unwrap();
    }

    fn backup(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.vault.begin_backup(&root()).unwrap().write(&mut out, &Unwatched).unwrap();
        out
    }

    fn restore(&self, backup: &[u8], ends: Option<Ends>) -> Result<Option<String>, Error> {
        *self.ends.lock().unwrap() = ends;
        let sealer = ScriptedSealer::default();
        let private = &key(&RECOVERY);
        let request = RestoreRequest { private, sealer: &sealer, host_key: None, replace: true, unvouched: false };
        self.vault.restore(&root(), &mut &*backup, &request, &Unwatched).map(|restored| restored.kept)
    }
}

fn root() -> Caller {
    user::caller(ROOT)
}

#[test]
fn an_exchange_that_fails_leaves_the_vault_as_it_was_and_one_that_took_place_never_says_so() {
    let source = Home::new();
    source.add_recovery();
    source.alice().put("a", b"restored").unwrap();
    let backup = source.backup();
    let place = Place::new();
    let (before, alice) = (place.vault.id(), User::new(&place.vault, ALICE));
    alice.put("a", b"before").unwrap();
    let error = place.restore(&backup, Some(Ends::Before)).unwrap_err();
    assert!(error.to_string().contains("told to fail"), "{error}");
    assert_eq!((place.vault.state(), place.vault.id()), (State::Serving, before));
    assert_eq!(alice.get("a").unwrap(), b"before");
    alice.put("a", b"goes on").unwrap();
    let error = place.restore(&backup, Some(Ends::Unusable)).unwrap_err().to_string();
    for told in ["has taken the place", "vault.db.replaced-1", "told to be lost", "; restart tokenvaultd"] {
        assert!(error.contains(told), "{told}: {error}");
    }
    // Nothing is served with the keys of the one from the other.
    assert_eq!((place.vault.state(), place.vault.id()), (State::ReadOnly, source.vault().id()));
    assert_eq!(refused(alice.get("a")), Refused::Unavailable);
}

#[test]
fn a_daemon_that_ends_right_after_the_exchange_opens_again_on_the_tpm_that_has_counted_for_the_vault() {
    let place = Place::new();
    place.vault.add_slot(&daemon(), &NewSlot::Recovery(&public_of(&RECOVERY))).unwrap();
    place.vault.confirm_recovery(&daemon(), &key(&RECOVERY)).unwrap();
    place.put(b"old");
    let backup = place.backup();
    place.put(b"new");
    place.restore(&backup, Some(Ends::Unusable)).unwrap_err();
    let place = place.restart();
    assert_eq!((place.vault.state(), place.vault.anchor().state), (State::Serving, AnchorState::Held));
    assert_eq!(User::new(&place.vault, ALICE).get("a").unwrap(), b"old");
    place.put(b"newer");
    // And where nothing comes in between, the store before is an old one.
    let kept = place.restore(&backup, None).unwrap().unwrap();
    assert_eq!(place.vault.anchor().state, AnchorState::Held);
    let file = |name: &str| place.dir.path().join(name);
    std::fs::copy(file(&kept), file("before")).unwrap();
    let place = place.restart();
    assert_eq!(User::new(&place.vault, ALICE).get("a").unwrap(), b"old");
    let Place { vault, dir, tpm, .. } = place;
    drop(vault);
    wait_until("the store to be let go", || SqliteStore::open(dir.path(), StoreOptions::default()).is_ok());
    std::fs::rename(dir.path().join("before"), dir.path().join("vault.db")).unwrap();
    let place = Place::open(dir, tpm);
    place.vault.unseal_unattended(&daemon(), &ScriptedSealer::default(), &HostKey::NotAllowed).unwrap_err();
    assert!(place.vault.status().reason.contains("older than the TPM remembers"), "{}", place.vault.status().reason);
}

#[test]
fn where_the_tpm_does_not_say_how_far_it_has_counted_that_is_told() {
    let place = Place::new();
    place.vault.add_slot(&daemon(), &NewSlot::Recovery(&public_of(&RECOVERY))).unwrap();
    place.vault.confirm_recovery(&daemon(), &key(&RECOVERY)).unwrap();
    let backup = place.backup();
    place.tpm.tell(Some(SealError::Timeout));
    let sealer = ScriptedSealer::default();
    let private = &key(&RECOVERY);
    let request = RestoreRequest { private, sealer: &sealer, host_key: None, replace: true, unvouched: false };
    let restored = place.vault.restore(&root(), &mut &*backup, &request, &Unwatched).unwrap();
    assert_eq!(restored.no_anchor, Some(SealError::Timeout));
}

#[test]
fn a_backup_ends_where_the_disk_is_full_so_that_what_is_deleted_can_go() {
    let place = Place::new();
    place.vault.add_slot(&daemon(), &NewSlot::Recovery(&public_of(&RECOVERY))).unwrap();
    place.put(&[7; 1000]);
    // What was before is no reason.
    place.cramped.fetch_add(1, Ordering::Relaxed);
    assert!(!place.backup().is_empty());
    struct Filling<'a>(&'a AtomicU64, Vec<u8>);
    impl Write for Filling<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.fetch_add(1, Ordering::Relaxed);
            self.1.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let request = place.vault.begin_backup(&root()).unwrap();
    let need = request.need();
    need.check().unwrap();
    let mut out = Filling(&place.cramped, Vec::new());
    let error = request.write(&mut out, &Unwatched).unwrap_err();
    assert!(matches!(&error, Error::Unavailable(text) if text.contains("the disk is full")), "{error}");
    assert_eq!(refused(need.check()), Refused::Unavailable, "who waits for the reader is told as well");
    // And one of a vault that is sealed.
    let need = place.vault.begin_backup(&root()).unwrap().need();
    place.vault.seal(&root()).unwrap();
    assert_eq!(refused(need.check()), Refused::Sealed);
}
