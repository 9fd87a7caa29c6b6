//! What the disk gives: plain SQLite with the journal the store has (WAL, synchronous FULL), one row of 256 bytes for each
//! commit.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::floor::{self, VALUE_BYTES};
use crate::load::Load;
use crate::role;

/// How long one run commits.
const PERIOD: Duration = Duration::from_millis(500);

/// The load that commits into `directory`.
pub fn commits(directory: &Path) -> Load {
    let directory = directory.to_str().expect("a UTF-8 path");
    Load::new(floor::this_program(), tokenvault_tests::ROOT, &[role::WORD, "commits", directory]).without_options()
}

/// Commits for a while and prints the line of a load program.
pub fn commit_for_a_while(directory: &Path) {
    let file = directory.join("plain.sqlite");
    let database = rusqlite::Connection::open(&file).expect("a database");
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, value BLOB NOT NULL);",
        )
        .expect("a table");
    let mut insert = database.prepare("INSERT INTO row (value) VALUES (?)").expect("a statement");
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < PERIOD {
        let start = Instant::now();
        insert.execute([[b'v'; VALUE_BYTES].as_slice()]).expect("a commit");
        times.push(start.elapsed().as_nanos());
    }
    let seconds = begun.elapsed().as_secs_f64();
    times.sort_unstable();
    let (count, last) = (times.len(), times.len() - 1);
    println!("{count} 0 {seconds:.6} {} {}", times[last / 2], times[last * 99 / 100]);
}
