//! The store's rows as they stand: on their way into a backup, and back.

use super::{StoreError, WriteTx};

/// What stands in a column of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A number.
    Integer(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// Takes all rows, table by table.
pub trait RowSink {
    /// The rows of another table come from here on, with these columns. False: no more are wanted.
    fn table(&mut self, name: &str, columns: &[&str]) -> bool;

    /// The next row of that table. False: no more are wanted.
    fn row(&mut self, cells: &[Cell<'_>]) -> bool;
}

/// A store that has taken the place of the one that was in use.
#[derive(Debug)]
pub struct Taken {
    /// The file that the store before is kept in.
    pub kept: Option<String>,
    /// Why it cannot be used before the next start, or is not certain to be on the disk: nothing is written to it then.
    pub unusable: Option<StoreError>,
}

/// A store that is put together beside the one in use, to take its place as a whole. Dropping it leaves nothing of it.
pub trait Replacement: Send {
    /// The rows of another table come from here on, with these columns.
    ///
    /// # Errors
    /// `Corrupt` for a table or columns that its schema does not have; what the disk answers.
    fn begin_table(&mut self, name: &str, columns: &[&str]) -> Result<(), StoreError>;

    /// Adds a row to that table.
    ///
    /// # Errors
    /// `Corrupt` for a row that cannot stand there; what the disk answers.
    fn insert(&mut self, cells: &[Cell<'_>]) -> Result<(), StoreError>;

    /// All rows are there: brings it up to the present schema and checks that those which belong together are there.
    ///
    /// # Errors
    /// `Corrupt` says what is missing; what the disk answers.
    fn complete(&mut self) -> Result<(), StoreError>;

    /// Writes to it in one transaction, which is undone when `work` fails.
    ///
    /// # Errors
    /// What `work` returned, or what the disk answers.
    fn write(&mut self, work: &mut dyn FnMut(&mut dyn WriteTx) -> Result<(), StoreError>) -> Result<(), StoreError>;

    /// Takes the place of the store in use, all or nothing, also when the machine stops meanwhile. With `keep` the store that was in
    /// use stays beside it. Nobody may be reading or writing any more, and nobody accounts for rows afterwards.
    ///
    /// # Errors
    /// The store in use is still the one that was.
    fn take_place(self: Box<Self>, keep: bool) -> Result<Taken, StoreError>;
}
