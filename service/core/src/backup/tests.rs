//! A backup is read as it was written, or refused with the place that is wrong.

use super::*;
use crate::crypto::{hpke, random, wrap};
use crate::keyring::Keyring;
use crate::port::{Cancelled, Cell, HeapMemory, Progress, RowSink};
use crate::slot::SlotMaker;
use crate::slot::voucher::{Confirmed, Shown};
use crate::{Secret, Timestamp};

const VAULT: [u8; 16] = [3; 16];
const MADE: Timestamp = Timestamp::from_usec(1_700_000_000_000_000);

struct Unwatched;

impl Progress for Unwatched {
    fn report(&self, _done: u64, _total: u64) -> Result<(), Cancelled> {
        Ok(())
    }
}

/// A vault with a recovery key.
struct Origin {
    private: Secret,
    public: [u8; 32],
    keyring: Keyring,
    vk: Secret,
    /// What its store has of the recovery key.
    confirmed: Option<Confirmed>,
}

impl Origin {
    fn new() -> Self {
        let private = random::secret(&HeapMemory, 32).unwrap();
        let public = hpke::public_key(&private).unwrap();
        let (vk, keyring) = (random::secret(&HeapMemory, 32).unwrap(), Keyring::generate(&HeapMemory).unwrap());
        let shown = Shown { private: &private, slot: 2, vault_id: &VAULT, keyring: &keyring, memory: &HeapMemory };
        let confirmed = Some(shown.confirmed().unwrap());
        Self { private, public, keyring, vk, confirmed }
    }

    /// The same vault, as somebody makes it who knows its public key.
    fn forged(&self, confirmed: Option<Confirmed>) -> Self {
        Self {
            private: Secret::copy_from(&HeapMemory, self.private.expose()).unwrap(),
            public: self.public,
            confirmed,
            ..Self::new()
        }
    }

    /// A backup with so many values of 1,000 bytes each.
    fn backup(&self, values: u8) -> Vec<u8> {
        let mut out = Vec::new();
        let header = Header::new(VAULT, [4; 16], 7, MADE);
        let vouching = vouching_key(&self.keyring, &VAULT, &HeapMemory).unwrap();
        let keys = BackupKeys { recipients: &[[9; 32], self.public], vouching, memory: &HeapMemory };
        let mut writer = BackupWriter::begin(&mut out, header, keys, (&Unwatched, 0)).unwrap();
        self.rows(&mut writer, values);
        writer.finish().unwrap();
        out
    }

    fn rows(&self, sink: &mut dyn RowSink, values: u8) {
        assert!(sink.table("meta", &["key", "value"]));
        for (key, value) in [("vault-id", &VAULT[..]), ("slot-mac", &[1; 32]), ("row-sum", &[2; 32]), ("lockdown", &[])]
        {
            assert!(sink.row(&[Cell::Text(key), Cell::Blob(value)]));
        }
        if let Some(confirmed) = &self.confirmed {
            assert!(sink.row(&[Cell::Text("recovery-confirmed"), Cell::Blob(&confirmed.encode())]));
        }
        let (vk, keyring, memory) = (&self.vk, &self.keyring, &HeapMemory);
        let maker = SlotMaker { vault_id: &VAULT, vk, keyring, memory, created: MADE };
        assert!(sink.table("slot", &["id", "kind", "body", "wrapped_vk", "wrapped_kek", "created"]));
        let host_key = Secret::copy_from(&HeapMemory, &[1; 32]).unwrap();
        for (id, slot) in [(1, maker.host_key(&host_key)), (2, maker.recovery(&self.public))] {
            let slot = slot.unwrap();
            let [body, vk, kek] = [&slot.body, &slot.wrapped_vk, &slot.wrapped_kek].map(|bytes| Cell::Blob(bytes));
            assert!(sink.row(&[Cell::Integer(id), Cell::Text(&slot.kind), body, vk, kek, Cell::Integer(1)]));
        }
        assert!(sink.table("keyring", &["purpose", "term", "wrapped"]));
        for key in self.keyring.to_rows(&self.vk, &VAULT).unwrap() {
            assert!(sink.row(&[Cell::Text(&key.purpose), Cell::Integer(key.term.into()), Cell::Blob(&key.wrapped)]));
        }
        assert!(sink.table("value", &["id", "value", "nothing"]));
        for id in 0..values {
            assert!(sink.row(&[Cell::Integer(id.into()), Cell::Blob(&[id; 1000]), Cell::Null]));
        }
    }

    fn read(&self, bytes: &[u8]) -> Result<(Summary, Taken), BackupError> {
        let mut taken = Taken::default();
        let reader = BackupReader::open(bytes, &self.private, &HeapMemory)?;
        let (summary, opened) = reader.read(&mut taken, &self.private, &HeapMemory)?;
        assert!(opened.id == VAULT && opened.vk.expose() == self.vk.expose() && opened.slot == 2);
        taken.is_vouched = opened.is_vouched;
        Ok((summary, taken))
    }

    fn refused(&self, bytes: &[u8]) -> String {
        match self.read(bytes) {
            Ok(_) => panic!("it was read"),
            Err(error) => error.to_string(),
        }
    }
}

/// Which rows were taken: table and first cell.
#[derive(Default)]
struct Taken {
    rows: Vec<(String, String)>,
    is_vouched: bool,
}

impl RowTaker for Taken {
    type Error = BackupError;

    fn table(&mut self, name: &str, _columns: &[&str]) -> Result<(), BackupError> {
        self.rows.push((name.to_owned(), String::new()));
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>], _chunk: u64) -> Result<(), BackupError> {
        let table = self.rows.last().unwrap().0.clone();
        if let [Cell::Integer(id), Cell::Blob(value), Cell::Null] = cells {
            assert!(value.iter().all(|byte| i64::from(*byte) == *id), "a wrong plaintext");
        }
        self.rows.push((table, format!("{:?}", cells[0])));
        Ok(())
    }
}

/// Where the chunks of a backup begin, and where it ends.
fn borders(bytes: &[u8]) -> Vec<usize> {
    let header = u32::from_be_bytes(bytes[16..20].try_into().unwrap()) as usize;
    let mut borders = vec![20 + header];
    while *borders.last().unwrap() < bytes.len() {
        let at = *borders.last().unwrap();
        borders.push(at + 5 + u32::from_be_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize);
    }
    borders
}

#[test]
fn what_was_written_is_read_but_for_what_belongs_to_one_machine() {
    let origin = Origin::new();
    for values in [0, 1, 250] {
        let bytes = origin.backup(values);
        let (summary, taken) = origin.read(&bytes).unwrap();
        assert_eq!((summary.rows, summary.bytes), (3 + 1 + 6 + u64::from(values), bytes.len() as u64));
        let rows = |table: &str| taken.rows.iter().filter(|(name, _)| name == table).count() - 1;
        assert_eq!(["meta", "slot", "keyring", "value"].map(rows), [3, 1, 6, usize::from(values)]);
        assert!(taken.is_vouched);
        assert!(!taken.rows.iter().any(|(_, first)| first.contains("slot-mac") || first.contains("row-sum")));
        let outline = outline(&*bytes, &Unwatched).unwrap();
        assert_eq!((outline.chunks, outline.bytes), (borders(&bytes).len() as u64 - 1, bytes.len() as u64));
        assert_eq!((outline.header.vault_id, outline.header.made), (VAULT, MADE.as_usec()));
        assert_eq!(outline.header, Header::of(&*bytes).unwrap());
    }
}

#[test]
fn a_text_that_ends_with_a_chunk_has_no_empty_one_behind_it() {
    let origin = Origin::new();
    let whole = CHUNK_BYTES + wrap::OVERHEAD + 5;
    for text in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES] {
        let mut out = Vec::new();
        let key = random::secret(&HeapMemory, 32).unwrap();
        let mut writer = chunk::ChunkWriter::new(&mut out, key, [0; 32], 0);
        writer.push(&vec![7; text]).unwrap();
        assert_eq!(writer.finish().unwrap(), out.len() as u64);
        assert_eq!(out.len().div_ceil(whole), text.div_ceil(CHUNK_BYTES).max(1), "{text}");
    }
    drop(origin);
}

#[test]
fn another_key_is_told_from_damage() {
    let (origin, other) = (Origin::new(), Origin::new());
    let bytes = origin.backup(1);
    assert!(other.refused(&bytes).contains("was not made for this recovery key"));
    // For another key that is in the header, but has no slot in the vault.
    let mut forged = Vec::new();
    let vouching = vouching_key(&origin.keyring, &VAULT, &HeapMemory).unwrap();
    let keys = BackupKeys { recipients: &[other.public], vouching, memory: &HeapMemory };
    let header = Header::new(VAULT, [4; 16], 7, MADE);
    let mut writer = BackupWriter::begin(&mut forged, header, keys, (&Unwatched, 0)).unwrap();
    origin.rows(&mut writer, 1);
    writer.finish().unwrap();
    assert!(other.refused(&forged).contains("was not made for this recovery key"));
}

#[test]
fn who_knows_the_public_key_alone_makes_no_backup() {
    let (origin, stranger) = (Origin::new(), Origin::new());
    let mut forged = Vec::new();
    let vouching = vouching_key(&stranger.keyring, &VAULT, &HeapMemory).unwrap();
    let keys = BackupKeys { recipients: &[origin.public], vouching, memory: &HeapMemory };
    let header = Header::new(VAULT, [4; 16], 7, MADE);
    let mut writer = BackupWriter::begin(&mut forged, header, keys, (&Unwatched, 0)).unwrap();
    origin.rows(&mut writer, 1);
    writer.finish().unwrap();
    assert!(origin.refused(&forged).contains("was not made by the vault"));
}

#[test]
fn who_makes_a_whole_vault_for_the_public_key_passes_it_for_nobodys_word_at_most() {
    let origin = Origin::new();
    // All of it fits together, and opens with this recovery key.
    for earlier in
        [None, Some(Confirmed { slot: 2, voucher: None }), Some(Confirmed { slot: 1, voucher: Some([1; 32]) })]
    {
        let forged = origin.forged(earlier);
        assert!(!forged.read(&forged.backup(3)).unwrap().1.is_vouched);
    }
    // One of his own, and the vault's own, which a copy of its disk tells.
    for voucher in [Some([1; 32]), origin.confirmed.as_ref().unwrap().voucher] {
        let forged = origin.forged(Some(Confirmed { slot: 2, voucher }));
        assert!(forged.refused(&forged.backup(3)).contains("in which this recovery key was confirmed"));
    }
}

#[test]
fn every_place_that_is_damaged_is_refused_and_named() {
    let origin = Origin::new();
    let bytes = origin.backup(250);
    let borders = borders(&bytes);
    assert_eq!(borders.len(), 5, "four chunks");
    for at in (0..borders[0]).chain((0..400).map(|step| borders[0] + step * (bytes.len() - borders[0]) / 400)) {
        for bit in [0, 7] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let refused = origin.refused(&damaged);
            let chunk = borders.iter().rposition(|border| *border <= at);
            let place = match chunk {
                // A damaged header: it says so, or no chunk belongs to it.
                None => vec![
                    "header",
                    "not a backup",
                    "does not begin as one",
                    "format",
                    "recovery key",
                    "cut off",
                    "chunk 0",
                ],
                Some(_) => vec![],
            };
            let chunk = chunk.map(|chunk| format!("chunk {chunk}"));
            // The last length may say that more is to come.
            let named = place.iter().any(|place| refused.contains(place))
                || chunk.is_some_and(|chunk| refused.contains(&chunk));
            assert!(named, "byte {at}, bit {bit}: {refused}");
        }
    }
}

#[test]
fn a_backup_that_was_cut_off_or_made_longer_is_refused_wherever() {
    let origin = Origin::new();
    let bytes = origin.backup(250);
    let borders = borders(&bytes);
    for cut in (0..borders[0]).chain(borders.iter().flat_map(|border| [border - 1, *border, border + 3])) {
        if cut >= bytes.len() {
            continue;
        }
        let refused = origin.refused(&bytes[..cut]);
        let expected = if cut == 0 { "not a backup".to_owned() } else { format!("cut off at byte {cut}") };
        assert!(refused.contains(&expected), "{cut}: {refused}");
        assert!(outline(&bytes[..cut], &Unwatched).is_err(), "{cut}");
    }
    for more in [&[0][..], &bytes, &bytes[borders[3]..]] {
        let longer = [&bytes, more].concat();
        let expected = format!("something follows the end of the backup at byte {}", bytes.len());
        assert!(origin.refused(&longer).contains(&expected));
        assert!(outline(&*longer, &Unwatched).unwrap_err().to_string().contains(&expected));
    }
}

#[test]
fn chunks_that_were_moved_doubled_left_out_or_taken_from_another_backup_are_refused() {
    let origin = Origin::new();
    let (bytes, other) = (origin.backup(250), origin.backup(250));
    let borders = borders(&bytes);
    let chunk = |number: usize| &bytes[borders[number]..borders[number + 1]];
    let theirs = |number: usize| &other[borders[number]..borders[number + 1]];
    let header = &bytes[..borders[0]];
    let mixes: [(&str, Vec<&[u8]>); 7] = [
        ("chunk 0", vec![chunk(1), chunk(0), chunk(2), chunk(3)]),
        ("chunk 1", vec![chunk(0), chunk(2), chunk(1), chunk(3)]),
        ("chunk 1", vec![chunk(0), chunk(0), chunk(1), chunk(2), chunk(3)]),
        ("chunk 2", vec![chunk(0), chunk(1), chunk(3)]),
        ("chunk 2", vec![chunk(0), chunk(1), theirs(2), chunk(3)]),
        ("chunk 3", vec![chunk(0), chunk(1), chunk(2), theirs(3)]),
        ("chunk 0", vec![theirs(0), theirs(1), theirs(2), theirs(3)]),
    ];
    for (place, chunks) in mixes {
        let mixed = [header, &chunks.concat()].concat();
        let refused = origin.refused(&mixed);
        assert!(
            refused.contains(&format!("{place} of the backup")) && refused.contains("belong"),
            "{place}: {refused}"
        );
    }
    // A chunk in the middle that says it is the last.
    let mut ended = bytes[..borders[2]].to_vec();
    ended[borders[1]] = 1;
    assert!(origin.refused(&ended).contains("chunk 1 of the backup"));
}

#[test]
fn a_backup_of_another_vaults_rows_is_not_of_this_one() {
    let origin = Origin::new();
    let mut out = Vec::new();
    let vouching = vouching_key(&origin.keyring, &VAULT, &HeapMemory).unwrap();
    let keys = BackupKeys { recipients: &[origin.public], vouching, memory: &HeapMemory };
    let header = Header::new([5; 16], [4; 16], 7, MADE);
    let mut writer = BackupWriter::begin(&mut out, header, keys, (&Unwatched, 0)).unwrap();
    origin.rows(&mut writer, 0);
    writer.finish().unwrap();
    assert!(origin.refused(&out).contains("was not made by the vault"));
}

struct Enough;

impl Progress for Enough {
    fn report(&self, _done: u64, _total: u64) -> Result<(), Cancelled> {
        Err(Cancelled)
    }
}

#[test]
fn who_wants_no_more_ends_it() {
    let origin = Origin::new();
    let mut out = Vec::new();
    let vouching = vouching_key(&origin.keyring, &VAULT, &HeapMemory).unwrap();
    let keys = BackupKeys { recipients: &[origin.public], vouching, memory: &HeapMemory };
    let header = Header::new(VAULT, [4; 16], 7, MADE);
    let mut writer = BackupWriter::begin(&mut out, header, keys, (&Enough, 0)).unwrap();
    assert!(writer.table("value", &["id"]));
    let taken = (0..1000).take_while(|id| writer.row(&[Cell::Integer(*id)])).count();
    assert!(taken < 100, "{taken}");
    assert!(matches!(writer.finish(), Err(BackupError::Cancelled)));
}

#[test]
fn what_is_kept_before_anything_is_authenticated_does_not_grow_without_bound() {
    let origin = Origin::new();
    let refused = |write: &dyn Fn(&mut BackupWriter<'_>)| {
        let mut out = Vec::new();
        let vouching = vouching_key(&origin.keyring, &VAULT, &HeapMemory).unwrap();
        let keys = BackupKeys { recipients: &[origin.public], vouching, memory: &HeapMemory };
        let header = Header::new(VAULT, [4; 16], 7, MADE);
        let mut writer = BackupWriter::begin(&mut out, header, keys, (&Unwatched, 0)).unwrap();
        write(&mut writer);
        writer.finish().unwrap();
        origin.refused(&out)
    };
    let slot = |body: usize, wrapped: usize| {
        refused(&|writer| {
            assert!(writer.table("slot", &["id", "kind", "body", "wrapped_vk", "wrapped_kek", "created"]));
            let (body, wrapped) = (vec![1; body], vec![1; wrapped]);
            let [body, wrapped] = [Cell::Blob(&body), Cell::Blob(&wrapped)];
            let one = Cell::Integer(1);
            assert!(writer.row(&[one, Cell::Text("passphrase"), body, wrapped, wrapped, one]));
        })
    };
    for (body, wrapped) in [((64 << 10) + 1, 1), (1, 1025)] {
        assert!(slot(body, wrapped).contains("a row is not one of its table"), "{body} {wrapped}");
    }
    assert!(!slot(64 << 10, 1024).contains("a row is not one of its table"));
    let tables = refused(&|writer| {
        for number in 0..257 {
            assert!(writer.table(&format!("t{number}"), &["id"]));
        }
    });
    assert!(tables.contains("more tables than any store"), "{tables}");
}

/// Is interrupted before each byte.
struct Interrupted<'a>(&'a [u8], bool);

impl std::io::Read for Interrupted<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let most = room.len().min(1);
        self.0.read(&mut room[..most])
    }
}

#[test]
fn a_read_that_is_interrupted_goes_on_and_more_keys_than_a_header_holds_are_no_damage() {
    let origin = Origin::new();
    let bytes = origin.backup(1);
    assert_eq!(Header::of(Interrupted(&bytes, false)).unwrap(), Header::of(&*bytes).unwrap());
    let vouching = vouching_key(&origin.keyring, &VAULT, &HeapMemory).unwrap();
    let recipients = vec![origin.public; 1000];
    let keys = BackupKeys { recipients: &recipients, vouching, memory: &HeapMemory };
    let header = Header::new(VAULT, [4; 16], 7, MADE);
    let mut out = Vec::new();
    let begun = BackupWriter::begin(&mut out, header, keys, (&Unwatched, 0));
    assert!(matches!(begun.map(|_| ()), Err(BackupError::TooManyKeys)));
}
