//! All rows of all tables as they stand: what a backup is made of.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tokenvault_core::port::{Cell, RowSink};

use crate::fault::Fault;
use crate::row::all;

/// SQLite's own table of the numbers that were given last: none may come again.
pub(crate) const NUMBERS: &str = "sqlite_sequence";

/// Names of the tables in the order they were made, and after them [`NUMBERS`].
fn tables(connection: &Connection) -> Result<Vec<String>, Fault> {
    const SQL: &str =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid";
    let mut tables: Vec<String> = all(connection, SQL, [], |row| row.get(0))?;
    tables.push(NUMBERS.to_owned());
    Ok(tables)
}

/// Names of the columns of a table; none where there is no such table.
pub(crate) fn columns(connection: &Connection, table: &str) -> Result<Vec<String>, Fault> {
    all(connection, "SELECT name FROM pragma_table_info(?1) ORDER BY cid", [table], |row| row.get(0))
}

/// Gives every row to `sink`; false when it wants no more.
pub(crate) fn all_rows(connection: &Connection, sink: &mut dyn RowSink) -> Result<bool, Fault> {
    for table in tables(connection)? {
        let columns = columns(connection, &table)?;
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        if !sink.table(&table, &names) {
            return Ok(false);
        }
        let mut statement = connection.prepare(&format!("SELECT {} FROM {table}", names.join(", ")))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let cells = (0..names.len()).map(|column| cell(row.get_ref(column)?)).collect::<Result<Vec<_>, Fault>>()?;
            if !sink.row(&cells) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn cell(value: ValueRef<'_>) -> Result<Cell<'_>, Fault> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Text(text) => {
            Cell::Text(str::from_utf8(text).map_err(|_| Fault::corrupt("a text of the store is not UTF-8"))?)
        }
        ValueRef::Blob(bytes) => Cell::Blob(bytes),
        ValueRef::Real(_) => return Err(Fault::corrupt("a row of the store has a column of an unexpected type")),
    })
}
