//! What is done with a vault before the power goes: every kind of change, and after each what everybody can see then.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tokenvault_core::Error;
use tokenvault_core::token::{Annotation, PutOptions};
use tokenvault_core::vault::{NewSlot, daemon};

use crate::fixture::*;

/// Changes that are made.
const CHANGES: u64 = 300;
const NAMES: u64 = 9;

/// Says on standard error what is certain from here on: what was acknowledged, and what the TPM has counted. Each is one write, so that
/// it stands at its place among the writes to the disk.
pub fn tell(line: &str) {
    use std::io::Write as _;
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// A vault in the directory for temporary files, on a TPM whose counting is told.
pub fn begin() -> Home {
    let mut home = Home::bare();
    let tpm = Arc::new(ScriptedCounter::default());
    tpm.on_change(|counters| tell(&format!("tpm {counters}")));
    home.plug_in(tpm);
    home.vault().create(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    home.add_recovery();
    home.vault().confirm_recovery(&daemon(), &key(&RECOVERY)).unwrap();
    home
}

/// Makes the changes.
pub fn live() {
    let mut home = begin();
    tell(&format!("ack {}", sight(&home)));
    for number in 1..=CHANGES {
        if number.is_multiple_of(30) {
            home.restart();
            home.vault().verify_rows(&Unwatched).unwrap();
        } else {
            change(&home, number).unwrap();
        }
        tell(&format!("ack {}", sight(&home)));
    }
}

/// Makes the change of a number.
pub fn change(home: &Home, number: u64) -> Result<(), Error> {
    let user = if number.is_multiple_of(4) { home.bob() } else { home.alice() };
    let name = |number: u64| format!("name/{}", number % NAMES);
    let (this, other) = (name(number * 7), name(number * 5 + 1));
    let has = |name: &str| user.describe(name).is_ok();
    match number % 30 {
        3 | 17 if has(&this) => {
            let marked = Some(attributes(&[("mark", &number.to_string())]));
            user.annotate(&this, Annotation { attributes: marked, ..Annotation::default() })
        }
        4 | 14 if has(&this) && !has(&other) => user.rename(&this, &other),
        5 | 15 if has(&this) => {
            let oldest = *user.version_numbers(&this).last().unwrap();
            user.rollback(&this, oldest).map(drop)
        }
        7 | 22 if has(&this) => user.delete(&this),
        8 | 23 => user.attach(&this, &long(3, number as u8)).map(drop),
        9 | 24 if has(&this) => user.share(&this, "uid:1003"),
        10 | 25 if has(&this) && !user.grantees(&this).is_empty() => user.unshare(&this, "uid:1003"),
        11 => user.issue(plain()).map(drop),
        12 => home.vault().raise_anchor(),
        16 => home.rotate_user(user.caller.uid, (number / 60).is_multiple_of(2)).map(drop),
        18 => home.vault().rotate_vault_key(&daemon()),
        26 => home.rotate_keyring().map(drop),
        20 => wait(|reply| home.vault().flush_audit(true, reply)),
        _ => {
            let value = Random::new(number).bytes(usize::try_from(1 + number * 977 % 9_000).unwrap());
            user.put_with(&this, &value, PutOptions { keep_versions: Some(3), ..PutOptions::default() }).map(drop)
        }
    }
}

/// All that two users can see, as a number.
pub fn sight(home: &Home) -> u64 {
    hash(&[home.alice(), home.bob()].map(|user| {
        let names = user.list().unwrap().into_iter().map(|token| token.name);
        let versions =
            names.flat_map(|name| user.version_numbers(&name).into_iter().map(move |version| (name.clone(), version)));
        let values: Vec<_> = versions.map(|(name, version)| user.get_version(&name, version).unwrap()).collect();
        (values, user.usage().unwrap(), outline(home))
    }))
}

/// The same without values, which nobody is given while the audit log cannot be written, and without what counts against quotas: what
/// came in half is given back when the disk takes that.
pub fn outline(home: &Home) -> u64 {
    let mut seen = String::new();
    for user in [home.alice(), home.bob()] {
        for token in user.list().unwrap() {
            writeln!(seen, "{token:?} {:?}", user.shares(&token.name).unwrap()).unwrap();
            writeln!(seen, "{:?}", user.versions(&token.name).unwrap()).unwrap();
        }
        writeln!(seen, "{}", user.issued().len()).unwrap();
    }
    hash(&seen)
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
