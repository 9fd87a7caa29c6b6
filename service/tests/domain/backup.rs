//! Making a backup: everything that is in the store, for who has a recovery key and nobody else.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use tokenvault_core::Error;
use tokenvault_core::backup::{BackupReader, Header, RowTaker, outline};
use tokenvault_core::port::{Cancelled, Cell, HeapMemory, Progress};
use tokenvault_core::vault::State;

use crate::fixture::*;

/// Tables and how many rows of each a backup has.
#[derive(Default)]
struct Rows(Vec<(String, usize)>);

impl RowTaker for Rows {
    type Error = Error;

    fn table(&mut self, name: &str, _columns: &[&str]) -> Result<(), Error> {
        self.0.push((name.to_owned(), 0));
        Ok(())
    }

    fn row(&mut self, _cells: &[Cell<'_>], _chunk: u64) -> Result<(), Error> {
        self.0.last_mut().unwrap().1 += 1;
        Ok(())
    }
}

fn rows(backup: &[u8]) -> Vec<(String, usize)> {
    let mut rows = Rows::default();
    let reader = BackupReader::open(backup, &key(&RECOVERY), &HeapMemory).unwrap();
    reader.read(&mut rows, &key(&RECOVERY), &HeapMemory).unwrap();
    rows.0
}

fn count(backup: &[u8], table: &str) -> usize {
    rows(backup).into_iter().find(|(name, _)| name == table).unwrap().1
}

#[test]
fn without_a_recovery_slot_it_is_refused_with_the_next_step() {
    let home = Home::new();
    let error = home.write_backup(&mut Vec::new(), &Unwatched).unwrap_err();
    assert!(matches!(&error, Error::Unavailable(text) if text.ends_with("run 'tokenvaultctl init' to make one")));
    home.add_recovery();
    assert!(!home.backup().is_empty());
}

#[test]
fn it_is_recorded_before_anything_leaves_and_carries_its_own_record() {
    let home = Home::new();
    home.add_recovery();
    home.alice().put("a", b"1").unwrap();
    let (backup, log) = (home.backup(), records(&home));
    let last = log.last().unwrap();
    assert_eq!((last.operation.as_str(), last.uid), ("Backup", ROOT));
    assert_eq!(count(&backup, "audit"), log.len());
}

#[test]
fn a_sealed_vault_makes_none_and_one_that_is_sealed_meanwhile_ends_it() {
    let home = Home::new();
    home.add_recovery();
    for number in 0..100 {
        home.alice().put(&format!("t{number}"), b"1").unwrap();
    }
    struct Sealing<'a>(&'a Home);
    impl Progress for Sealing<'_> {
        fn report(&self, _done: u64, _total: u64) -> Result<(), Cancelled> {
            if self.0.vault().state() == State::Serving {
                self.0.vault().seal(&self.0.root().caller).unwrap();
            }
            Ok(())
        }
    }
    let mut out = Vec::new();
    assert_eq!(refused(home.write_backup(&mut out, &Sealing(&home))), Refused::Sealed);
    assert!(outline(&*out, &Unwatched).is_err(), "what was written is no backup");
    assert_eq!(refused(home.write_backup(&mut Vec::new(), &Unwatched)), Refused::Sealed);
}

#[test]
fn it_is_of_one_moment_while_others_write() {
    let home = Home::new();
    home.add_recovery();
    for number in 0..200 {
        home.alice().put(&format!("t{number}"), b"1").unwrap();
    }
    /// Puts and deletes tokens whenever something is written.
    struct Busy<'a>(&'a Home, AtomicU64, Vec<u8>);
    impl Write for Busy<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let number = self.1.fetch_add(1, Ordering::Relaxed);
            self.0.bob().put(&format!("new{number}"), b"1").unwrap();
            self.0.alice().delete(&format!("t{number}")).unwrap();
            self.2.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut out = Busy(&home, AtomicU64::new(0), Vec::new());
    home.write_backup(&mut out, &Unwatched).unwrap();
    let Busy(_, writes, backup) = out;
    assert!(writes.into_inner() > 3);
    assert_eq!((count(&backup, "token"), count(&backup, "version"), count(&backup, "principal")), (200, 200, 1));
}

struct Enough;

impl Progress for Enough {
    fn report(&self, _done: u64, _total: u64) -> Result<(), Cancelled> {
        Err(Cancelled)
    }
}

#[test]
fn who_wants_no_more_or_reads_no_more_ends_it_and_the_vault_goes_on() {
    let home = Home::new();
    home.add_recovery();
    for number in 0..100 {
        home.alice().put(&format!("t{number}"), &[1; 1000]).unwrap();
    }
    assert!(matches!(home.write_backup(&mut Vec::new(), &Enough), Err(Error::Cancelled)));
    let whole = home.backup().len();
    for left in [0, 10, 200, whole / 2, whole - 1] {
        let mut out = Until { inner: Vec::new(), left };
        let error = home.write_backup(&mut out, &Unwatched).unwrap_err();
        assert!(matches!(&error, Error::Unavailable(text) if text.contains("could not be written")), "{left}: {error}");
        assert!(outline(&*out.inner, &Unwatched).is_err());
    }
    assert_eq!(home.vault().state(), State::Serving);
    home.alice().put("goes on", b"1").unwrap();
    home.vault().verify_rows(&Unwatched).unwrap();
}

#[test]
fn a_recovery_slot_that_somebody_else_has_added_gets_no_backup() {
    let mut home = Home::new();
    home.add_recovery();
    // While it serves, which the next opening would find by itself.
    home.database().change("UPDATE slot SET created = created + 1 WHERE kind = 'recovery'", []);
    let mut out = Vec::new();
    assert_eq!(refused(home.write_backup(&mut out, &Unwatched)), Refused::Quarantined);
    assert!(out.is_empty());
    home.stop();
}

#[test]
fn no_name_or_value_or_key_stands_in_it() {
    let home = Home::new();
    home.add_recovery();
    let mut markers: Vec<Vec<u8>> = vec![RECOVERY.to_vec(), HOST_KEY.to_vec(), b"alice".to_vec()];
    for number in 0..250 {
        let (name, value, attribute) =
            (format!("marker-name-{number}"), format!("marker-value-{number}"), format!("marker-attribute-{number}"));
        let options = tokenvault_core::token::PutOptions {
            attributes: Some(attributes(&[("marker-key", &attribute)])),
            ..Default::default()
        };
        home.alice().put_with(&name, value.as_bytes(), options).unwrap();
        markers.extend([name, value, attribute].map(String::into_bytes));
    }
    home.alice().attach("marker-long", &b"marker-chunk".repeat(20_000)).unwrap();
    markers.extend([b"marker-long".to_vec(), b"marker-chunk".to_vec(), b"marker".to_vec()]);
    let backup = home.backup();
    // And not inside of it either, where a recovery key leads: its rows are those of the store.
    struct Search<'a>(&'a [Vec<u8>]);
    impl RowTaker for Search<'_> {
        type Error = Error;
        fn table(&mut self, _name: &str, _columns: &[&str]) -> Result<(), Error> {
            Ok(())
        }
        fn row(&mut self, cells: &[Cell<'_>], _chunk: u64) -> Result<(), Error> {
            for cell in cells {
                if let Cell::Blob(bytes) = cell {
                    self.0.iter().for_each(|marker| assert!(!contains(bytes, marker)));
                }
            }
            Ok(())
        }
    }
    assert!(!contains(&backup, b"marker") && !contains(&backup, b"alice") && !contains(&backup, &HOST_KEY));
    let reader = BackupReader::open(&*backup, &key(&RECOVERY), &HeapMemory).unwrap();
    reader.read(&mut Search(&markers), &key(&RECOVERY), &HeapMemory).unwrap();
}

fn contains(bytes: &[u8], marker: &[u8]) -> bool {
    bytes.windows(marker.len()).any(|window| window == marker)
}

#[test]
fn its_header_tells_when_and_of_which_vault_it_is() {
    let home = Home::new();
    home.add_recovery();
    let header = Header::of(&*home.backup()).unwrap();
    assert_eq!((Some(header.vault_id), header.made), (home.vault().id(), START.as_usec()));
    assert_eq!(header.recipients[0].public, *public_of(&RECOVERY).expose());
}

#[test]
fn rows_that_nobody_has_verified_yet_are_verified_before_the_vault_vouches_for_them() {
    let mut home = Home::new();
    home.add_recovery();
    home.alice().put("a", b"1").unwrap();
    home.restart();
    assert!(!home.backup().is_empty());
    home.tamper(|file| file.change("UPDATE token SET newest = newest + 1 WHERE id = 1", []));
    assert_eq!(home.vault().state(), State::Serving, "they are verified while it serves");
    let mut out = Vec::new();
    assert_eq!(refused(home.write_backup(&mut out, &Unwatched)), Refused::Quarantined);
    assert!(out.is_empty());
    assert_eq!(home.vault().state(), State::Quarantined);
}
