//! Every column of every row, bit by bit, and seeded mischief: what still comes out is what was put in.

use std::collections::{BTreeMap, BTreeSet};

use tokenvault_core::name::ContentType;
use tokenvault_core::token::{Expiry, ListRequest, PutOptions, TokenInfo, VersionInfo};

use crate::fixture::*;

const BITS_PER_CELL: usize = 4;
const MISCHIEFS: usize = 400;

/// Columns in which a change is not seen by whoever reads: counters and dates nothing secret hangs on, the way to find a
/// token by its attributes, and the identity of this copy of the vault.
const NOT_SEEN: [(&str, &str); 9] = [
    ("content", "held"),
    ("content", "open"),
    ("content", "principal"),
    ("content", "uses"),
    ("meta", "key"),
    ("meta", "value"),
    ("principal", "bytes"),
    ("principal", "issued"),
    ("principal", "tokens"),
];

const TABLES: [&str; 9] = ["attribute", "chunk", "content", "keyring", "meta", "principal", "slot", "token", "version"];
const NAMES: [&str; 3] = ["a", "b", "c"];

/// A closed vault with something in every column.
fn written() -> Home {
    let mut home = Home::new();
    for (user, who) in [(home.alice(), "alice"), (home.bob(), "bob")] {
        for name in NAMES {
            let options = PutOptions {
                attributes: Some(attributes(&[("name", name), ("env", who)])),
                content_type: Some(ContentType::parse("text/plain").unwrap()),
                expiry: Expiry::After(DAY),
                ..PutOptions::default()
            };
            user.put_with(name, format!("{who} {name} 1").as_bytes(), options).unwrap();
            user.put(name, format!("{who} {name} 2, a longer one").as_bytes()).unwrap();
        }
    }
    home.alice().attach("a", &long(1, 1)).unwrap();
    home.stop();
    home
}

/// What two users get to see, everything that is asked with its answer.
#[derive(PartialEq, Eq)]
struct Seen {
    values: BTreeMap<(u32, &'static str, u64), Vec<u8>>,
    descriptions: BTreeMap<(u32, &'static str), TokenInfo>,
    versions: BTreeMap<(u32, &'static str), Vec<VersionInfo>>,
    lists: BTreeMap<(u32, usize), Vec<TokenInfo>>,
}

impl Seen {
    fn by_reading(home: &Home) -> Self {
        let mut seen = Self {
            values: BTreeMap::new(),
            descriptions: BTreeMap::new(),
            versions: BTreeMap::new(),
            lists: BTreeMap::new(),
        };
        for user in [home.alice(), home.bob()] {
            seen.read_as(&user);
        }
        seen
    }

    fn read_as(&mut self, user: &User) {
        let uid = user.caller.uid;
        for name in NAMES {
            for version in 0..3 {
                let value = if version == 0 { user.get(name) } else { user.get_version(name, version) };
                self.values.extend(value.ok().map(|value| ((uid, name, version), value)));
            }
            self.descriptions.extend(user.describe(name).ok().map(|info| ((uid, name), info)));
            self.versions.extend(user.versions(name).ok().map(|versions| ((uid, name), versions)));
        }
        let wishes = [None, Some(("env", "alice")), Some(("env", "bob"))];
        for (number, pair) in wishes.into_iter().chain(NAMES.map(|name| Some(("name", name)))).enumerate() {
            let wanted = ListRequest { attributes: attributes(pair.as_slice()), ..user.everything() };
            self.lists.extend(user.page(&wanted).ok().map(|page| ((uid, number), page.tokens)));
        }
    }

    /// Whether everything in it was seen in `whole` as well, and nothing else than it was.
    fn assert_within(&self, whole: &Self, what: &str) {
        for (key, value) in &self.values {
            assert!(whole.values.get(key) == Some(value), "a wrong value came out of {key:?} after: {what}");
        }
        for (key, info) in &self.descriptions {
            let truth = &whole.descriptions[key];
            assert_eq!((&info.name, info.owner), (&truth.name, truth.owner), "{what}");
            assert_eq!((info.version, info.expires), (truth.version, truth.expires), "{what}");
        }
        for (key, list) in &self.lists {
            let truth = &whole.lists[key];
            assert!(list.iter().all(|info| truth.contains(info)), "a wrong row is listed after: {what}");
        }
    }
}

#[test]
fn no_flipped_bit_of_the_store_makes_a_wrong_value() {
    let closed = written();
    let whole = Seen::by_reading(&Home::from_copy(closed.copy()));
    assert_eq!((whole.values.len(), whole.lists[&(ALICE, 1)].len()), (18, 3));
    let mut random = Random::new(7);
    let mut unseen = BTreeSet::new();
    let columns: Vec<_> = TABLES.iter().flat_map(|table| closed.database().columns(table)).collect();
    for column in columns {
        let rows = closed.database().cells(&column).len();
        assert!(rows > 0, "there is something to change in {column:?}");
        for row in (0..rows).flat_map(|row| std::iter::repeat_n(row, BITS_PER_CELL)) {
            let bit = random.next() >> 1;
            let copy = closed.copy();
            if !Database::open(&copy.path().join("vault.db")).flip(&column, row, bit) {
                continue;
            }
            let seen = Seen::by_reading(&Home::from_copy(copy));
            seen.assert_within(&whole, &format!("bit {bit} of {column:?} in row {row}"));
            if seen == whole {
                unseen.insert((column.table.clone(), column.name.clone()));
            }
        }
    }
    let allowed: BTreeSet<_> = NOT_SEEN.iter().map(|(table, name)| ((*table).to_owned(), (*name).to_owned())).collect();
    assert_eq!(unseen, allowed);
}

#[test]
fn no_mischief_with_rows_makes_a_wrong_value() {
    let closed = written();
    let whole = Seen::by_reading(&Home::from_copy(closed.copy()));
    let mut random = Random::new(11);
    let mut seen_through = 0;
    for _ in 0..MISCHIEFS {
        let copy = closed.copy();
        let what = mischief(&Database::open(&copy.path().join("vault.db")), &mut random);
        let seen = Seen::by_reading(&Home::from_copy(copy));
        seen.assert_within(&whole, &what);
        seen_through += usize::from(seen != whole);
    }
    assert!(seen_through > MISCHIEFS / 3, "{seen_through} of {MISCHIEFS} mattered");
}

/// One or two statements of somebody who knows the schema: cells are copied between rows, rows deleted or renumbered.
fn mischief(file: &Database, random: &mut Random) -> String {
    let mut what = String::new();
    for _ in 0..=random.below(2) {
        let table = random.pick(&["principal", "slot", "token", "version", "version", "token"]);
        let columns = file.columns(table);
        let names: Vec<_> = columns[1..].iter().map(|column| column.name.as_str()).collect();
        let column = random.pick(&names);
        let pick = format!("(SELECT id FROM {table} ORDER BY id LIMIT 1 OFFSET {})", random.below(12));
        let other = format!("(SELECT id FROM {table} ORDER BY id LIMIT 1 OFFSET {})", random.below(12));
        let sql = match random.below(8) {
            0 => format!("DELETE FROM {table} WHERE id = {pick}"),
            1 => format!("UPDATE OR REPLACE {table} SET id = {other} WHERE id = {pick}"),
            2 => format!("UPDATE OR REPLACE {table} SET id = id + 1 WHERE id = {pick}"),
            _ => format!(
                "UPDATE OR REPLACE {table} SET {column} = (SELECT {column} FROM {table} WHERE id = {other}) WHERE id = {pick}"
            ),
        };
        // A statement that SQLite refuses changes nothing.
        file.try_run(&sql);
        what += &sql;
        what += "; ";
    }
    what
}
