//! A closed store with something in every table, and what was in it on an earlier day.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use tokenvault_core::token::Annotation;
use tokenvault_core::vault::{NewSlot, Settings, daemon};

use crate::fixture::*;

pub const TABLES: [&str; 13] = [
    "attribute",
    "audit",
    "chunk",
    "content",
    "issued",
    "keyring",
    "login",
    "meta",
    "principal",
    "share",
    "slot",
    "token",
    "version",
];

pub type Row = Vec<Value>;
/// User, name and version, 0 for the current one.
pub type Place = (u32, &'static str, u64);
pub type Values = BTreeMap<Place, Vec<u8>>;

pub struct Closed {
    pub home: Home,
    /// The rows of every table.
    pub now: BTreeMap<&'static str, Vec<Row>>,
    pub earlier: BTreeMap<&'static str, Vec<Row>>,
    /// What comes out of it.
    pub values: Values,
    /// What ever came out of a place.
    pub ever: BTreeMap<Place, Vec<Vec<u8>>>,
}

impl Closed {
    pub fn new() -> Self {
        let mut home = Home::new();
        let story = begin(&home);
        home.settle();
        home.stop();
        let (earlier, before) = (tables(&home.database()), values(&Home::from_copy(home.copy())));
        home.start(Settings::default());
        home.unseal().unwrap();
        go_on(&home, &story);
        home.settle();
        home.stop();
        let (now, values) = (tables(&home.database()), values(&Home::from_copy(home.copy())));
        let mut ever = BTreeMap::<Place, Vec<Vec<u8>>>::new();
        for (place, value) in before.into_iter().chain(values.clone()) {
            ever.entry(place).or_default().push(value);
        }
        Self { home, now, earlier, values, ever }
    }
}

fn tables(file: &Database) -> BTreeMap<&'static str, Vec<Row>> {
    TABLES.iter().map(|table| (*table, file.rows(table))).collect()
}

/// What comes out, to two users.
pub fn values(home: &Home) -> Values {
    let mut values = Values::new();
    for user in [home.alice(), home.bob()] {
        for name in ["a", "b", "long"] {
            for version in 0..4 {
                let value = if version == 0 { user.get(name) } else { user.get_version(name, version) };
                values.extend(value.ok().map(|value| ((user.caller.uid, name, version), value)));
            }
        }
    }
    values
}

/// What goes on the later day.
struct Story {
    issued: String,
    slot: u32,
}

fn attribute(host: &str) -> Annotation {
    Annotation { attributes: Some(attributes(&[("host", host)])), ..Annotation::default() }
}

/// What there is on the earlier day.
fn begin(home: &Home) -> Story {
    let (alice, bob) = (home.alice(), home.bob());
    for (user, who) in [(&alice, "alice"), (&bob, "bob")] {
        for name in ["a", "b"] {
            user.put(name, format!("{who} {name} 1").as_bytes()).unwrap();
            user.put(name, format!("{who} {name} 2").as_bytes()).unwrap();
            user.annotate(name, attribute("db1")).unwrap();
        }
        user.attach("long", &long(1, 1)).unwrap();
        user.token();
        home.vault().enrol_login(&user.caller, &user.caller, secret(&[7; 32])).unwrap();
    }
    alice.share("a", "uid:1002").unwrap();
    alice.share("b", "uid:1002").unwrap();
    let add = |seed| home.vault().add_slot(&daemon(), &NewSlot::Recovery(&public_of(&[seed; 32]))).unwrap();
    let slots = [6, 7].map(add);
    Story { issued: bob.issue(plain()).unwrap().id.to_string(), slot: slots[0] }
}

/// What became of it.
fn go_on(home: &Home, story: &Story) {
    let (alice, bob) = (home.alice(), home.bob());
    home.rotate_user(ALICE, false).unwrap();
    for (user, who) in [(&alice, "alice"), (&bob, "bob")] {
        user.put("a", format!("{who} a 3").as_bytes()).unwrap();
        user.annotate("b", attribute("db2")).unwrap();
        user.attach("long", &long(1, 2)).unwrap();
        home.vault().set_login_key(&user.caller, &user.caller, secret(&[7; 32]), secret(&[8; 32])).unwrap();
    }
    bob.revoke(&story.issued).unwrap();
    alice.offer("b").unwrap();
    alice.unshare("b", "uid:1002").unwrap();
    alice.share("long", "uid:1002").unwrap();
    home.vault().remove_slot(&daemon(), story.slot, true).unwrap();
    home.vault().rotate_vault_key(&daemon()).unwrap();
}
