//! What is in the chunks of a backup, once they open: tables, rows and the end. Who has the public half of a recovery key can
//! make any.

use std::io::Cursor;
use std::sync::OnceLock;

use minicbor::{Decoder, Encoder};
use sha2::{Digest as _, Sha256};
use tokenvault_core::backup::{BackupError, BackupReader, FORMAT, MAGIC, RowTaker, vouching_key};
use tokenvault_core::crypto::{Aad, hpke, mac, wrap};
use tokenvault_core::keyring::Keyring;
use tokenvault_core::port::{Cell, HeapMemory};
use tokenvault_core::slot::SlotMaker;
use tokenvault_core::{Secret, Timestamp};

const VAULT: [u8; 16] = [3; 16];
const INSTANCE: [u8; 16] = [4; 16];
/// Plaintext of every chunk but the last.
const CHUNK_BYTES: usize = 64 << 10;

/// A vault of which there are backups.
struct Fixture {
    private: Secret,
    /// The key of the chunks.
    chunks: Secret,
    vouching: Secret,
    /// Everything before the first chunk, and its hash.
    head: Vec<u8>,
    hash: [u8; 32],
    /// The items without which nothing opens.
    carried: Vec<Vec<u8>>,
}

fn secret(byte: u8) -> Secret {
    Secret::copy_from(&HeapMemory, &[byte; 32]).expect("memory")
}

impl Fixture {
    fn make() -> Self {
        let (private, chunks, vk) = (secret(9), secret(8), secret(7));
        let public = hpke::public_key(&private).expect("a key");
        let aad = Aad::new("backup").bytes(&VAULT).bytes(&INSTANCE).u64(7).u64(1);
        let sealed = hpke::seal(&public, b"tv1/backup", aad.as_bytes(), &[8; 32]).expect("it is sealed");
        let header = header(&public, &sealed).expect("a header");
        let len = (header.len() as u32).to_be_bytes();
        let head = [&MAGIC[..], &[FORMAT], &len, &header].concat();
        let keyring = Keyring::generate(&HeapMemory).expect("keys");
        let maker = SlotMaker {
            vault_id: &VAULT,
            vk: &vk,
            keyring: &keyring,
            memory: &HeapMemory,
            created: Timestamp::from_usec(1),
        };
        let slot = maker.recovery(&public).expect("a slot");
        let mut carried = vec![table("meta", &["key", "value"]), row(&[Cell::Text("vault-id"), Cell::Blob(&VAULT)])];
        carried.push(table("slot", &["id", "kind", "body", "wrapped_vk", "wrapped_kek", "created"]));
        carried.push(row(&[
            Cell::Integer(1),
            Cell::Text(&slot.kind),
            Cell::Blob(&slot.body),
            Cell::Blob(&slot.wrapped_vk),
            Cell::Blob(&slot.wrapped_kek),
            Cell::Integer(1),
        ]));
        carried.push(table("keyring", &["purpose", "term", "wrapped"]));
        for key in keyring.to_rows(&vk, &VAULT).expect("rows") {
            carried.push(row(&[Cell::Text(&key.purpose), Cell::Integer(key.term.into()), Cell::Blob(&key.wrapped)]));
        }
        let vouching = vouching_key(&keyring, &VAULT, &HeapMemory).expect("a key");
        Self { private, chunks, vouching, hash: Sha256::digest(&head).into(), head, carried }
    }

    /// A backup of this text.
    fn backup(&self, text: &[u8]) -> Vec<u8> {
        let mut backup = self.head.clone();
        let (mut rest, mut number) = (text, 0);
        loop {
            let (chunk, behind) = rest.split_at_checked(CHUNK_BYTES).unwrap_or((rest, &[]));
            let is_last = behind.is_empty();
            let aad = Aad::new("backup-chunk").bytes(&self.hash).u64(number).u8(u8::from(is_last));
            let sealed = wrap::seal(&self.chunks, "backup-chunk", aad.as_bytes(), chunk).expect("it is sealed");
            backup.push(u8::from(is_last));
            backup.extend((sealed.len() as u32).to_be_bytes());
            backup.extend(sealed);
            if is_last {
                return backup;
            }
            (rest, number) = (behind, number + 1);
        }
    }

    /// The item that says that these were all.
    fn end(&self, items: &[Vec<u8>], counts: &[(String, u64)]) -> Vec<u8> {
        let mut digest = Sha256::new();
        for item in items {
            digest.update((item.len() as u64).to_be_bytes());
            digest.update(item);
        }
        let digest: [u8; 32] = digest.finalize().into();
        let mut told = Encoder::new(Vec::new());
        told.array(counts.len() as u64).unwrap();
        for (table, count) in counts {
            told.array(2).unwrap().str(table).unwrap().u64(*count).unwrap();
        }
        let told = told.into_writer();
        let mac = mac::compute(&self.vouching, &[&self.hash, &digest, &told]);
        let mut end = Encoder::new(Vec::new());
        end.array(4).unwrap().u8(2).unwrap();
        end.writer_mut().extend(&told);
        end.bytes(&digest).unwrap().bytes(&mac).unwrap();
        end.into_writer()
    }
}

type Encoded = Result<Vec<u8>, minicbor::encode::Error<std::convert::Infallible>>;

fn header(public: &[u8; 32], sealed: &[u8]) -> Encoded {
    let mut header = Encoder::new(Vec::new());
    header.map(5)?.u8(0)?.bytes(&VAULT)?.u8(1)?.bytes(&INSTANCE)?.u8(2)?.u32(7)?.u8(3)?.u64(1)?;
    header.u8(4)?.array(1)?.map(2)?.u8(0)?.bytes(public)?.u8(1)?.bytes(sealed)?;
    Ok(header.into_writer())
}

/// An item that begins a table.
pub fn table(name: &str, columns: &[&str]) -> Vec<u8> {
    let mut item = Encoder::new(Vec::new());
    item.array(3).unwrap().u8(0).unwrap().str(name).unwrap().array(columns.len() as u64).unwrap();
    for column in columns {
        item.str(column).unwrap();
    }
    item.into_writer()
}

/// An item that is a row.
pub fn row(cells: &[Cell<'_>]) -> Vec<u8> {
    let mut item = Encoder::new(Vec::new());
    item.array(cells.len() as u64 + 1).unwrap().u8(1).unwrap();
    for cell in cells {
        match cell {
            Cell::Null => item.null().unwrap(),
            Cell::Integer(number) => item.i64(*number).unwrap(),
            Cell::Text(text) => item.str(text).unwrap(),
            Cell::Blob(bytes) => item.bytes(bytes).unwrap(),
        };
    }
    item.into_writer()
}

/// Counts what it takes.
#[derive(Default)]
struct Taker {
    counts: Vec<(String, u64)>,
    columns: usize,
}

impl RowTaker for Taker {
    type Error = BackupError;

    fn table(&mut self, name: &str, columns: &[&str]) -> Result<(), BackupError> {
        self.counts.push((name.to_owned(), 0));
        self.columns = columns.len();
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>], _chunk: u64) -> Result<(), BackupError> {
        assert_eq!(cells.len(), self.columns, "a row has the cells of its table");
        self.counts.last_mut().expect("a row has a table").1 += 1;
        Ok(())
    }
}

/// The first byte says whether it is all of the text, or items, each behind its length in two bytes, that go in between
/// those without which nothing opens and a true end.
pub fn run(data: &[u8]) {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    let fixture = FIXTURE.get_or_init(Fixture::make);
    let [form, said @ ..] = data else { return };
    let is_whole = !form.is_multiple_of(2);
    let text = if is_whole { whole(fixture, said) } else { said.to_vec() };
    let backup = fixture.backup(&text);
    let reader = BackupReader::open(Cursor::new(&backup), &fixture.private, &HeapMemory).expect("its header is right");
    let mut taker = Taker::default();
    match reader.read(&mut taker, &fixture.private, &HeapMemory) {
        Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
        Ok((summary, opened)) => {
            assert!(is_whole, "nobody vouches for this");
            assert!(!opened.is_vouched, "nobody was shown these keys");
            assert_eq!((summary.counts, summary.bytes), (taker.counts, backup.len() as u64));
        }
    }
}

/// The text of a backup with these items in it.
fn whole(fixture: &Fixture, mut said: &[u8]) -> Vec<u8> {
    let mut items = fixture.carried.clone();
    while let [high, low, rest @ ..] = said {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (item, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        items.push(item.to_vec());
        said = behind;
    }
    let end = fixture.end(&items, &counts(&items));
    let bytes = |item: &Vec<u8>| [&(item.len() as u32).to_be_bytes()[..], item].concat();
    items.iter().chain([&end]).flat_map(bytes).collect()
}

/// Rows of each table, as far as they can be told.
fn counts(items: &[Vec<u8>]) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for item in items {
        let mut decoder = Decoder::new(item);
        match decoder.array().and_then(|_| decoder.u8()) {
            Ok(0) => counts.extend(decoder.str().map(|name| (name.to_owned(), 0))),
            Ok(1) => counts.last_mut().into_iter().for_each(|(_, count)| *count += 1),
            _ => {}
        }
    }
    counts
}
