//! S3: all that somebody who can write the store and has no key can do to rows, in every table: rows are swapped in a
//! column, deleted, duplicated, brought back from an earlier day, and bits are flipped in each column. All of it is refused,
//! and no wrong value comes out.

mod closed;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rusqlite::types::Value;
use tokenvault_core::vault::State;

use self::closed::{Closed, Row, TABLES, values};
use crate::fixture::*;

/// Changes of the store that are made, and of them those that somebody goes by, at least.
const MUTATIONS: usize = 5_500;
const REFUSED: usize = 5_000;
/// Places that are tried to make one: not everything can stand in the file.
const TRIES: usize = 100;

/// Columns that nothing but a quota or a cleanup goes by, which are covered by nothing.
const COUNTERS: [(&str, &[usize]); 2] = [("content", &[1, 2, 3, 4]), ("principal", &[3, 4, 7])];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Swap,
    Delete,
    Duplicate,
    Revert,
    Flip,
}

const KINDS: [Kind; 5] = [Kind::Swap, Kind::Delete, Kind::Duplicate, Kind::Revert, Kind::Flip];

/// What comes of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The vault does not open, or goes out of service when it verifies its rows, as it does whenever it was opened.
    OutOfService,
    /// A value is not given out that was.
    Withheld,
    /// Nothing goes by what was changed.
    Meaningless,
}

/// Whether a change of that kind can be made at all: in a log that is appended to, and in chunks, no row was another one.
fn is_possible(closed: &Closed, table: &str, kind: Kind) -> bool {
    kind != Kind::Revert || closed.earlier[table].iter().any(|row| !closed.now[table].contains(row))
}

/// Makes the change and looks at what comes of it; the values that come out, and how many of them were never at that place.
fn mutate(closed: &Closed, table: &'static str, kind: Kind, round: usize) -> (Outcome, usize, usize) {
    let (now, copy, what) =
        (&closed.now[table], in_memory(&closed.home), format!("{kind:?} in {table}, round {round}"));
    let mut random = Random::new(round as u64);
    let file = Database::open(&copy.path().join("vault.db"));
    let mut tries = (0..TRIES).filter_map(|_| changed(now, &closed.earlier[table], kind, round, &mut random));
    let rows = tries.find(|rows| file.replace(table, rows)).unwrap_or_else(|| panic!("nowhere: {what}"));
    drop(file);
    let home = Home::from_copy(copy);
    let seen = values(&home);
    let is_out_of_service = is_out_of_service(&home);
    // Until the rows are verified an owner may get what his token had before; of a vault that goes on it is the present one or none.
    let is_wrong = |(place, value): &(&_, &_)| match is_out_of_service {
        true => !closed.ever[*place].contains(*value),
        false => closed.values.get(*place) != Some(*value),
    };
    let wrong = seen.iter().filter(is_wrong).count();
    let outcome = if is_out_of_service {
        Outcome::OutOfService
    } else if seen != closed.values {
        Outcome::Withheld
    } else {
        let is_of_no_value = kind == Kind::Duplicate && matches!(table, "chunk" | "content");
        assert!(is_of_no_value || differ_in_counters_alone(table, now, &rows), "not noticed: {what}");
        Outcome::Meaningless
    };
    (outcome, seen.len(), wrong)
}

fn is_out_of_service(home: &Home) -> bool {
    home.vault().state() != State::Serving
        || home.vault().verify_rows(&Unwatched).is_err()
        || home.vault().verify_indexes().is_err()
        || verified(home).is_err()
}

fn differ_in_counters_alone(table: &str, now: &[Row], changed: &[Row]) -> bool {
    let Some((_, counters)) = COUNTERS.iter().find(|(name, _)| *name == table) else { return false };
    let rest = |rows: &[Row]| -> Vec<Row> {
        let kept = |row: &Row| (0..row.len()).filter(|at| !counters.contains(at)).map(|at| row[at].clone()).collect();
        rows.iter().map(kept).collect()
    };
    are_the_same(&rest(now), &rest(changed))
}

fn are_the_same(one: &[Row], other: &[Row]) -> bool {
    one.len() == other.len() && one.iter().all(|row| other.contains(row))
}

/// The rows of a table after a change, if it makes one.
fn changed(now: &[Row], earlier: &[Row], kind: Kind, round: usize, random: &mut Random) -> Option<Vec<Row>> {
    let mut rows = now.to_vec();
    let mut below = |limit: usize| usize::try_from(random.below(limit as u64)).unwrap();
    let (one, other, any_column) = (below(now.len()), below(now.len()), below(now[0].len()));
    // Each of the columns in turn.
    let column = if kind == Kind::Flip { round % now[0].len() } else { any_column };
    match kind {
        Kind::Swap => {
            let kept = rows[one][column].clone();
            rows[one][column] = std::mem::replace(&mut rows[other][column], kept);
        }
        Kind::Delete => drop(rows.remove(one)),
        Kind::Duplicate => {
            let mut row = rows[one].clone();
            row[0] = match &row[0] {
                Value::Integer(_) => Value::Integer(highest(now) + 1),
                key => flip(key, random.next() >> 1),
            };
            // Of some columns no two rows may have the same.
            if random.once_in(2) {
                row[column] = flip(&row[column], random.next() >> 1);
            }
            rows.push(row);
        }
        Kind::Revert => {
            let old = random.pick(&earlier.iter().collect::<Vec<_>>());
            match rows.iter_mut().find(|row| row[0] == old[0]) {
                Some(row) => row.clone_from(old),
                None => rows.push(old.clone()),
            }
        }
        Kind::Flip => rows[one][column] = flip(&rows[one][column], random.next() >> 1),
    }
    (!are_the_same(now, &rows)).then_some(rows)
}

fn highest(rows: &[Row]) -> i64 {
    let keys = rows.iter().filter_map(|row| if let Value::Integer(key) = row[0] { Some(key) } else { None });
    keys.max().unwrap_or_default()
}

#[test]
fn whatever_is_done_to_rows_of_any_table_is_refused_and_no_wrong_value_comes_out() {
    let closed = Closed::new();
    let ways: Vec<_> = TABLES.into_iter().flat_map(|table| KINDS.map(|kind| (table, kind))).collect();
    let ways: Vec<_> = ways.into_iter().filter(|(table, kind)| is_possible(&closed, table, *kind)).collect();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<Outcome, usize>::new()));
    let (came_out, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let numbers = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < MUTATIONS);
        for number in std::iter::from_fn(numbers) {
            let (table, kind) = ways[number % ways.len()];
            let (outcome, values, never) = mutate(&closed, table, kind, number / ways.len());
            *outcomes.lock().unwrap().entry(outcome).or_default() += 1;
            came_out.fetch_add(values, Ordering::Relaxed);
            wrong.fetch_add(never, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let (outcomes, wrong) = (outcomes.into_inner().unwrap(), wrong.into_inner());
    let of = |outcome| outcomes.get(&outcome).copied().unwrap_or_default();
    let (out, withheld) = (of(Outcome::OutOfService), of(Outcome::Withheld));
    assert!(out + withheld >= REFUSED && wrong == 0, "{outcomes:?}, {wrong} wrong values");
    proof(
        "S3",
        &format!(
            "{} mutations of {} tables in {} ways refused ({out} vault out of service, {withheld} value withheld), {} more \
             of counters and rows that nothing goes by; {wrong} wrong of {} values that came out",
            out + withheld,
            TABLES.len(),
            ways.len(),
            of(Outcome::Meaningless),
            came_out.into_inner(),
        ),
    );
}
