//! What is done with a vault before the power goes: every kind of change, and after each what everybody can see then.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tokenvault_core::token::{Annotation, PutOptions};
use tokenvault_core::vault::daemon;

use crate::fixture::*;

/// Changes that are made.
const CHANGES: u64 = 300;
const NAMES: u64 = 9;

/// Says on standard error what is certain from here on: what was acknowledged, and what the TPM has counted. Each is one write, so that
/// it stands at its place among the writes to the disk.
fn tell(line: &str) {
    use std::io::Write as _;
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Makes a vault in the directory for temporary files, and the changes.
pub fn live() {
    let mut home = Home::bare();
    let tpm = Arc::new(ScriptedCounter::default());
    tpm.on_change(|counters| tell(&format!("tpm {counters}")));
    home.plug_in(tpm);
    let sealer = ScriptedSealer::default();
    home.vault().create(&daemon(), &tokenvault_core::vault::NewSlot::Tpm2(&sealer)).unwrap();
    home.add_recovery();
    home.vault().confirm_recovery(&daemon(), &key(&RECOVERY)).unwrap();
    tell(&format!("ack {}", sight(&home)));
    for number in 1..=CHANGES {
        change(&mut home, number);
        tell(&format!("ack {}", sight(&home)));
    }
}

fn change(home: &mut Home, number: u64) {
    let user = if number.is_multiple_of(4) { home.bob() } else { home.alice() };
    let name = |number: u64| format!("name/{}", number % NAMES);
    let (this, other) = (name(number * 7), name(number * 5 + 1));
    let has = |name: &str| user.describe(name).is_ok();
    let value = Random::new(number).bytes(usize::try_from(1 + number * 977 % 9_000).unwrap());
    match number % 30 {
        3 | 17 if has(&this) => {
            let marked = Some(attributes(&[("mark", &number.to_string())]));
            user.annotate(&this, Annotation { attributes: marked, ..Annotation::default() }).unwrap();
        }
        4 | 14 if has(&this) && !has(&other) => user.rename(&this, &other).unwrap(),
        5 | 15 if has(&this) => {
            let oldest = *user.version_numbers(&this).last().unwrap();
            user.rollback(&this, oldest).unwrap();
        }
        7 | 22 if has(&this) => user.delete(&this).unwrap(),
        8 | 23 => drop(user.attach(&this, &long(3, number as u8)).unwrap()),
        9 | 24 if has(&this) => user.share(&this, "uid:1003").unwrap(),
        10 | 25 if has(&this) => {
            let _not_shared = user.unshare(&this, "uid:1003");
        }
        11 => drop(user.issue(plain()).unwrap()),
        12 => home.vault().raise_anchor().unwrap(),
        16 => drop(home.rotate_user(user.caller.uid, number.is_multiple_of(60)).unwrap()),
        18 => home.vault().rotate_vault_key(&daemon()).unwrap(),
        19 => {
            drop(user);
            home.restart();
            home.vault().verify_rows(&Unwatched).unwrap();
        }
        20 => wait(|reply| home.vault().flush_audit(true, reply)).unwrap(),
        _ => {
            let options = PutOptions { keep_versions: Some(3), ..PutOptions::default() };
            user.put_with(&this, &value, options).unwrap();
        }
    }
}

/// All that two users can see, as a number.
pub fn sight(home: &Home) -> u64 {
    let mut seen = String::new();
    for user in [home.alice(), home.bob()] {
        for token in user.list().unwrap() {
            writeln!(seen, "{token:?} {:?}", user.shares(&token.name).unwrap()).unwrap();
            for version in user.versions(&token.name).unwrap() {
                let value = user.get_version(&token.name, version.version).unwrap();
                writeln!(seen, "{version:?} {}", hash(&value)).unwrap();
            }
        }
        writeln!(seen, "{:?} {}", user.usage().unwrap(), user.issued().len()).unwrap();
    }
    hash(&seen)
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
