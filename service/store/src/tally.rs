//! The sum over the rows, kept along with every change.
//!
//! Triggers of the writer's own connection call a function for each row that comes, goes or changes, with the columns that count;
//! it adds the tags of the old and of the new row. They live in the temporary schema: nothing of this is in the file.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use tokenvault_core::port::{MetaKey, RowWatch, StoreError, Tag};

use crate::fault::Fault;
use crate::tx::meta_name;

/// Rows that are told of in one piece. A value lies in a kind of its own, because it never changes and may be large.
struct Kind {
    name: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
}

/// Everything that is accounted for. What a schema that is yet to come adds must be listed here, too.
const KINDS: [Kind; 11] = [
    Kind { name: "meta", table: "meta", columns: &["key", "value"] },
    Kind { name: "slot", table: "slot", columns: &["id", "kind", "body", "wrapped_vk", "wrapped_kek", "created"] },
    Kind { name: "keyring", table: "keyring", columns: &["purpose", "term", "wrapped"] },
    Kind { name: "principal", table: "principal", columns: &["id", "uid_tag", "generation", "record", "key"] },
    Kind { name: "token", table: "token", columns: &["id", "principal", "name_tag", "current", "newest", "meta"] },
    Kind {
        name: "version",
        table: "version",
        columns: &["id", "class", "expires_day", "stored_bytes", "meta", "dek", "content"],
    },
    Kind { name: "value", table: "version", columns: &["id", "value"] },
    Kind { name: "attribute", table: "attribute", columns: &["tag", "token"] },
    Kind { name: "share", table: "share", columns: &["id", "token", "grantee_tag", "expires_day", "meta"] },
    Kind { name: "login", table: "login", columns: &["principal", "record"] },
    Kind {
        name: "issued",
        table: "issued",
        columns: &["id", "principal", "kind", "tag", "hash", "token", "expires_day", "meta"],
    },
];

/// How often a long walk asks whether to go on, in rows.
const STEP: u64 = 256;

/// The sum as a transaction leaves it.
#[derive(Clone, Default)]
pub(crate) struct Mark {
    watch: Option<Arc<dyn RowWatch>>,
    sum: Tag,
    /// Whether rows were changed for which nobody accounts.
    strays: bool,
}

/// The sum, shared with the function that the triggers call.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<Mark>>);

impl Tally {
    /// Follows all changes that are made through a connection.
    pub(crate) fn follow(&self, connection: &Connection) -> Result<(), Fault> {
        let tally = self.clone();
        connection.create_scalar_function("tally", -1, FunctionFlags::SQLITE_UTF8, move |context| {
            let columns = (1..context.len()).map(|column| context.get_raw(column));
            tally.count(context.get(0)?, columns);
            Ok(0)
        })?;
        KINDS.iter().try_for_each(|kind| Ok(connection.execute_batch(&kind.triggers())?))
    }

    /// Has somebody account for the rows from here on, whose sum is this.
    pub(crate) fn watch(&self, watch: Arc<dyn RowWatch>, sum: Tag) {
        *self.lock() = Mark { watch: Some(watch), sum, strays: false };
    }

    /// Notes that the audit log has another end, which stands beside the sum.
    pub(crate) fn note_link(&self) {
        let mut mark = self.lock();
        mark.strays |= !mark.watch.as_ref().is_some_and(|watch| watch.lives());
    }

    /// Where it stands.
    pub(crate) fn mark(&self) -> Mark {
        self.lock().clone()
    }

    /// Goes back to where it stood: what was changed since was undone.
    pub(crate) fn go_back(&self, mark: Mark) {
        *self.lock() = mark;
    }

    /// Who accounts for the rows, and their sum.
    pub(crate) fn watched(&self) -> Option<(Arc<dyn RowWatch>, Tag)> {
        let mark = self.lock();
        mark.watch.clone().map(|watch| (watch, mark.sum))
    }

    /// Whether rows were changed for which nobody accounts.
    pub(crate) fn has_strays(&self) -> bool {
        self.lock().strays
    }

    /// Counts a row that has come, or one that has gone.
    fn count<'r>(&self, has_come: bool, columns: impl Iterator<Item = ValueRef<'r>>) {
        let mut mark = self.lock();
        match mark.watch.as_ref().and_then(|watch| watch.tag(&encode(columns))) {
            Some(tag) if has_come => add(&mut mark.sum, &tag),
            Some(tag) => subtract(&mut mark.sum, &tag),
            None => mark.strays = true,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mark> {
        // A panic leaves a sum that no commit writes down: the job it came from is undone, and the sum with it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind {
    /// One trigger for rows that come, one for those that go, and one for those that change in a column that counts.
    fn triggers(&self) -> String {
        let Self { name, table, columns } = self;
        let call = |has_come: bool, row: &str| {
            let columns: Vec<String> = columns.iter().map(|column| format!("{row}.{column}")).collect();
            format!("tally({has_come}, '{name}', {})", columns.join(", "))
        };
        let (old, new) = (call(false, "OLD"), call(true, "NEW"));
        let trigger = |event: &str, when: &str, row: &str, calls: &str| {
            let which = self.which(&format!("{row}."));
            format!(
                "CREATE TEMP TRIGGER tally_{name}_{event} AFTER {when} ON main.{table} WHEN {which} BEGIN SELECT {calls}; END;"
            )
        };
        [
            trigger("insert", "INSERT", "NEW", &new),
            trigger("delete", "DELETE", "OLD", &old),
            trigger("update", &format!("UPDATE OF {}", columns.join(", ")), "NEW", &format!("{old}, {new}")),
        ]
        .concat()
    }

    /// As the triggers tell of it.
    fn all_rows(&self) -> String {
        let Self { name, table, columns } = self;
        format!("SELECT '{name}', {} FROM {table} WHERE {}", columns.join(", "), self.which(""))
    }

    /// Which rows: all of them, but the sum itself. No row becomes another one of these two kinds.
    fn which(&self, row: &str) -> String {
        match self.table {
            "meta" => format!("{row}key <> '{}'", meta_name(MetaKey::RowSum)),
            _ => "true".to_owned(),
        }
    }
}

/// The sum of all rows, unless `goes_on` wants no more.
pub(crate) fn of_all_rows(
    connection: &Connection,
    watch: &dyn RowWatch,
    goes_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<Tag>, Fault> {
    let (mut sum, mut rows) = (Tag::default(), 0_u64);
    for kind in &KINDS {
        let mut statement = connection.prepare_cached(&kind.all_rows())?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let tag = watch.tag(&encode_row(row, kind.columns.len() + 1)?).ok_or(Fault(StoreError::Closed))?;
            add(&mut sum, &tag);
            rows += 1;
            if rows.is_multiple_of(STEP) && !goes_on(rows) {
                return Ok(None);
            }
        }
    }
    Ok(goes_on(rows).then_some(sum))
}

fn encode_row(row: &Row<'_>, columns: usize) -> Result<Vec<u8>, Fault> {
    let columns = (0..columns).map(|column| row.get_ref(column)).collect::<Result<Vec<_>, _>>()?;
    Ok(encode(columns.into_iter()))
}

/// Type, length and bytes of each column.
fn encode<'r>(columns: impl Iterator<Item = ValueRef<'r>>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let mut push = |kind: u8, content: &[u8]| {
        bytes.push(kind);
        bytes.extend_from_slice(&(content.len() as u64).to_be_bytes());
        bytes.extend_from_slice(content);
    };
    for column in columns {
        match column {
            ValueRef::Null => push(0, &[]),
            ValueRef::Integer(number) => push(1, &number.to_be_bytes()),
            ValueRef::Real(number) => push(2, &number.to_be_bytes()),
            ValueRef::Text(text) => push(3, text),
            ValueRef::Blob(blob) => push(4, blob),
        }
    }
    bytes
}

/// Modulo 2^256, so that two equal rows are not as none. The first byte is the lowest.
fn add(sum: &mut Tag, tag: &Tag) {
    let mut carry = false;
    for (byte, other) in sum.iter_mut().zip(tag) {
        let (partial, first) = byte.overflowing_add(*other);
        let (total, second) = partial.overflowing_add(carry.into());
        (*byte, carry) = (total, first || second);
    }
}

fn subtract(sum: &mut Tag, tag: &Tag) {
    let mut borrow = false;
    for (byte, other) in sum.iter_mut().zip(tag) {
        let (partial, first) = byte.overflowing_sub(*other);
        let (total, second) = partial.overflowing_sub(borrow.into());
        (*byte, borrow) = (total, first || second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_and_taken_away_in_any_order_is_nothing_and_twice_is_not_none() {
        let (one, other): (Tag, Tag) =
            ([0xff; 32], std::array::from_fn(|at| (at as u8).wrapping_mul(7).wrapping_add(200)));
        let mut sum = [0x80; 32];
        add(&mut sum, &one);
        add(&mut sum, &other);
        subtract(&mut sum, &one);
        subtract(&mut sum, &other);
        assert_eq!(sum, [0x80; 32]);
        add(&mut sum, &other);
        add(&mut sum, &other);
        assert_ne!(sum, [0x80; 32]);
    }
}
