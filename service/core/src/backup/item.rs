//! What a backup says: tables, their rows, and the end.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use crate::port::{Cell, Tag};

/// Begins an item.
const TABLE: u8 = 0;
const ROW: u8 = 1;
const END: u8 = 2;

/// More columns than any table has.
const COLUMNS_MAX: u64 = 64;
/// More tables than any store has.
pub(super) const TABLES_MAX: u64 = 256;

/// An item.
pub(super) enum Item<'a> {
    /// The rows of a table follow.
    Table { name: &'a str, columns: Vec<&'a str> },
    /// A row.
    Row(Vec<Cell<'a>>),
    /// Nothing follows.
    End(End),
}

/// What the last item says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// Rows of each table, in the order they came.
    pub(super) counts: Vec<(String, u64)>,
    /// SHA-256 of all items before.
    pub(super) digest: [u8; 32],
    /// The vault vouches for all of it.
    pub(super) mac: Tag,
}

/// Something is not as this format has it.
#[derive(Debug)]
pub(super) struct Malformed;

impl From<minicbor::decode::Error> for Malformed {
    fn from(_: minicbor::decode::Error) -> Self {
        Self
    }
}

type Encoded = Result<Vec<u8>, minicbor::encode::Error<std::convert::Infallible>>;

pub(super) fn encode_table(name: &str, columns: &[&str]) -> Encoded {
    let mut encoder = Encoder::new(Vec::new());
    encoder.array(3)?.u8(TABLE)?.str(name)?.array(columns.len() as u64)?;
    for column in columns {
        encoder.str(column)?;
    }
    Ok(encoder.into_writer())
}

pub(super) fn encode_row(cells: &[Cell<'_>]) -> Encoded {
    let mut encoder = Encoder::new(Vec::with_capacity(256));
    encoder.array(cells.len() as u64 + 1)?.u8(ROW)?;
    for cell in cells {
        match cell {
            Cell::Null => encoder.null()?,
            Cell::Integer(number) => encoder.i64(*number)?,
            Cell::Text(text) => encoder.str(text)?,
            Cell::Blob(bytes) => encoder.bytes(bytes)?,
        };
    }
    Ok(encoder.into_writer())
}

/// The counts alone: what the vault vouches for beside the digest.
pub(super) fn encode_counts(counts: &[(String, u64)]) -> Encoded {
    let mut encoder = Encoder::new(Vec::new());
    encoder.array(counts.len() as u64)?;
    for (table, count) in counts {
        encoder.array(2)?.str(table)?.u64(*count)?;
    }
    Ok(encoder.into_writer())
}

pub(super) fn encode_end(end: &End) -> Encoded {
    let mut encoder = Encoder::new(Vec::new());
    encoder.array(4)?.u8(END)?.array(end.counts.len() as u64)?;
    for (table, count) in &end.counts {
        encoder.array(2)?.str(table)?.u64(*count)?;
    }
    encoder.bytes(&end.digest)?.bytes(&end.mac)?;
    Ok(encoder.into_writer())
}

/// Reads an item.
pub(super) fn decode(bytes: &[u8]) -> Result<Item<'_>, Malformed> {
    let mut decoder = Decoder::new(bytes);
    let len = decoder.array()?.ok_or(Malformed)?;
    let item = match (decoder.u8()?, len) {
        (TABLE, 3) => decode_table(&mut decoder)?,
        (ROW, 1..=COLUMNS_MAX) => Item::Row((1..len).map(|_| cell(&mut decoder)).collect::<Result<_, _>>()?),
        (END, 4) => Item::End(decode_end(&mut decoder)?),
        _ => return Err(Malformed),
    };
    if decoder.position() == bytes.len() { Ok(item) } else { Err(Malformed) }
}

fn decode_table<'a>(decoder: &mut Decoder<'a>) -> Result<Item<'a>, Malformed> {
    let name = decoder.str()?;
    let count = decoder.array()?.filter(|count| *count < COLUMNS_MAX).ok_or(Malformed)?;
    let columns = (0..count).map(|_| Ok(decoder.str()?)).collect::<Result<_, Malformed>>()?;
    Ok(Item::Table { name, columns })
}

fn cell<'a>(decoder: &mut Decoder<'a>) -> Result<Cell<'a>, Malformed> {
    Ok(match decoder.datatype()? {
        Type::Null => {
            decoder.null()?;
            Cell::Null
        }
        Type::String => Cell::Text(decoder.str()?),
        Type::Bytes => Cell::Blob(decoder.bytes()?),
        _ => Cell::Integer(decoder.i64()?),
    })
}

fn decode_end(decoder: &mut Decoder<'_>) -> Result<End, Malformed> {
    let count = decoder.array()?.filter(|count| *count <= TABLES_MAX).ok_or(Malformed)?;
    let mut counts = Vec::new();
    for _ in 0..count {
        if decoder.array()? != Some(2) {
            return Err(Malformed);
        }
        counts.push((decoder.str()?.to_owned(), decoder.u64()?));
    }
    let mut tag = || decoder.bytes()?.try_into().map_err(|_| Malformed);
    Ok(End { counts, digest: tag()?, mac: tag()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded() {
        let columns = ["id", "value"];
        let table = encode_table("token", &columns).unwrap();
        assert!(matches!(decode(&table), Ok(Item::Table { name: "token", columns: found }) if found == columns));
        let cells = [Cell::Null, Cell::Integer(i64::MIN), Cell::Integer(7), Cell::Text("é"), Cell::Blob(&[0, 255])];
        let row = encode_row(&cells).unwrap();
        assert!(matches!(decode(&row), Ok(Item::Row(found)) if found == cells));
        let end = End { counts: vec![("token".into(), u64::MAX)], digest: [1; 32], mac: [2; 32] };
        assert!(matches!(decode(&encode_end(&end).unwrap()), Ok(Item::End(found)) if found == end));
    }

    #[test]
    fn what_no_encoder_makes_is_refused() {
        let row = encode_row(&[Cell::Integer(1)]).unwrap();
        let followed = [&row[..], &[0]].concat();
        let floats: &[u8] = &[0x82, 1, 0xf9, 0, 0];
        let endless: &[u8] = &[0x9f, 1, 0xff];
        let huge: &[u8] = &[0x9b, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        for bytes in [&[][..], &[0x80], &[0x81, 9], &row[..row.len() - 1], &followed, floats, endless, huge] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
