//! The operations, and what is compared after them.

use std::collections::BTreeMap;

use tokenvault_core::Timestamp;
use tokenvault_core::name::{Attributes, ContentType};
use tokenvault_core::port::Clock;
use tokenvault_core::token::{Annotation, Expiry, ListRequest, PutMode, PutOptions};
use tokenvault_core::vault::daemon;

use super::shelf::Shelf;
use crate::fixture::*;

const OPERATIONS: usize = 2_000;
const NAMES: [&str; 7] = ["a", "b", "c", "d/e", "d/f", "g h", "\u{e9}"];
const QUOTA_TOKENS: usize = 5;
const QUOTA_BYTES: u64 = 5_000;

/// A vault, what it should hold, and the choices.
struct Run {
    home: Home,
    shelves: [Shelf; 2],
    random: Random,
    /// Reads that found a token lying opened.
    hot: usize,
    /// Rotations that came to their end, those that did not, and kills.
    disturbed: [usize; 3],
}

impl Run {
    fn new(seed: u64) -> Self {
        let home = Home::new();
        home.set(|settings| (settings.tokens, settings.bytes) = (QUOTA_TOKENS as u64, QUOTA_BYTES));
        let shelves = [ALICE, BOB].map(|uid| Shelf::new(uid, QUOTA_TOKENS, QUOTA_BYTES));
        Self { home, shelves, random: Random::new(seed), hot: 0, disturbed: [0; 3] }
    }

    fn now(&self) -> Timestamp {
        self.home.clock.now()
    }

    fn name(&mut self) -> &'static str {
        self.random.pick(&NAMES)
    }

    fn sometimes<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.random.once_in(4).then(|| make(self))
    }

    fn expiry(&mut self) -> Expiry {
        match self.random.below(4) {
            0 => Expiry::After(1 + self.random.below(20 * SECOND)),
            1 => Expiry::At(Timestamp::from_usec(self.now().as_usec() + 1 + self.random.below(20 * SECOND))),
            _ => Expiry::Never,
        }
    }

    fn attributes(&mut self) -> Attributes {
        let pairs = [("k", "1"), ("k", "2"), ("l", "1")];
        let count = self.random.below(3);
        let chosen: BTreeMap<_, _> = (0..count).map(|_| self.random.pick(&pairs)).collect();
        attributes(&chosen.into_iter().collect::<Vec<_>>())
    }

    fn put_options(&mut self) -> PutOptions {
        PutOptions {
            mode: self.random.pick(&[PutMode::Upsert, PutMode::Upsert, PutMode::Create, PutMode::Replace]),
            expect_version: self.sometimes(|run| run.random.below(5)),
            attributes: self.sometimes(Self::attributes),
            expiry: self.expiry(),
            keep_versions: self.sometimes(|run| 1 + run.random.below(4) as u32),
            require_purpose: self.sometimes(|run| run.random.once_in(2)),
            content_type: self.sometimes(|run| ContentType::parse(run.random.pick(&["", "text/a"])).unwrap()),
            ..PutOptions::default()
        }
    }

    fn annotation(&mut self) -> Annotation {
        Annotation {
            attributes: self.sometimes(Self::attributes),
            expiry: self.sometimes(Self::expiry),
            keep_versions: self.sometimes(|run| 1 + run.random.below(4) as u32),
            require_purpose: self.sometimes(|run| run.random.once_in(2)),
            ..Annotation::default()
        }
    }

    fn step(&mut self) {
        let who = usize::try_from(self.random.below(2)).unwrap();
        let user = [self.home.alice(), self.home.bob()].into_iter().nth(who).unwrap();
        let (now, name, version) = (self.now(), self.name(), self.random.below(6));
        match self.random.below(20) {
            0..8 => {
                let (options, len) = (self.put_options(), 1 + self.random.below(200));
                let value = self.random.bytes(usize::try_from(len).unwrap());
                let expected = self.shelves[who].put(name, &value, &options, now);
                assert_eq!(answer(user.put_with(name, &value, options)), expected);
            }
            8..10 => {
                let change = self.annotation();
                assert_eq!(answer(user.annotate(name, change.clone())), self.shelves[who].annotate(name, &change, now));
            }
            10..12 => {
                let to = self.name();
                assert_eq!(answer(user.rename(name, to)), self.shelves[who].rename(name, to, now));
            }
            12..14 => {
                assert_eq!(answer(user.rollback(name, version)), self.shelves[who].rollback(name, version, now));
            }
            14..16 => {
                let expected = self.shelves[who].delete(name, Some(version), now);
                assert_eq!(answer(user.delete_version(name, version)), expected);
            }
            16 => assert_eq!(answer(user.delete(name)), self.shelves[who].delete(name, None, now)),
            17 => assert_eq!(answer(user.get(name)), self.shelves[who].get(name, None, false, now)),
            _ => self.home.clock.advance_usec(self.random.below(4 * SECOND)),
        }
        assert_eq!(user.usage().unwrap(), self.shelves[who].usage());
        self.read(who, name);
    }

    /// Does what nobody may notice: draws keys anew, not always to the end, and kills the vault.
    fn disturb(&mut self) {
        let (uid, steps) = (self.random.pick(&[ALICE, BOB]), Steps::only(self.random.below(6)));
        let ended = match self.random.below(4) {
            0 => self.home.rotate_keyring_watched(&steps).map(drop),
            1 => self.home.vault().rotate_vault_key(&daemon()),
            2 => self.home.rotate_user_watched(uid, self.random.once_in(2), &steps).map(drop),
            _ => {
                self.home.kill();
                self.disturbed[2] += 1;
                return;
            }
        };
        match answer(ended) {
            Ok(()) => self.disturbed[0] += 1,
            Err(Refused::Cancelled | Refused::InvalidArgs) => self.disturbed[1] += 1,
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Reads a token by all ways: where it lies opened, in the store, and again where it lies opened.
    fn read(&mut self, who: usize, name: &str) {
        let users = [self.home.alice(), self.home.bob()];
        let now = self.now();
        for name in NAMES {
            for (user, shelf) in users.iter().zip(&self.shelves) {
                if let Some((_, value)) = user.get_hot(name) {
                    assert_eq!(Ok(value), shelf.get(name, None, false, now), "{name}: it lay opened");
                    self.hot += 1;
                }
            }
        }
        let (user, shelf) = (&users[who], &self.shelves[who]);
        let expected = shelf.get(name, None, false, now);
        assert_eq!(answer(user.get(name)), expected);
        let version = shelf.describe(name, now).map(|info| info.version);
        assert_eq!(user.get_hot(name), expected.ok().map(|value| (version.unwrap(), value)), "{name}: it lies opened");
    }

    /// Compares everything either user can see.
    fn compare(&self) {
        let now = self.now();
        self.home.check_counters();
        for (user, shelf) in [self.home.alice(), self.home.bob()].iter().zip(&self.shelves) {
            assert_eq!(user.usage().unwrap(), shelf.usage());
            for pairs in [vec![], vec![("k", "1")], vec![("k", "2"), ("l", "1")]] {
                let wanted = ListRequest { attributes: attributes(&pairs), ..user.everything() };
                assert_eq!(user.page(&wanted).unwrap().tokens, shelf.list(wanted.attributes.as_map(), now));
            }
            for name in NAMES {
                assert_eq!(answer(user.describe(name)), shelf.describe(name, now));
                assert_eq!(answer(user.versions(name)), shelf.versions(name, now));
                assert_eq!(answer(user.get(name)), shelf.get(name, None, false, now));
                assert_eq!(answer(user.get_for(name, "look")), shelf.get(name, None, true, now));
                let newest = shelf.describe(name, now).map_or(0, |info| info.version);
                for version in 0..=newest + 1 {
                    assert_eq!(answer(user.get_version(name, version)), shelf.get(name, Some(version), false, now));
                }
            }
        }
    }
}

#[test]
fn two_thousand_random_operations_do_what_a_simple_model_does() {
    let mut run = Run::new(2);
    for number in 1..=OPERATIONS {
        run.step();
        if number % 20 == 0 {
            run.disturb();
            run.compare();
        }
        if number % 125 == 0 {
            run.home.restart();
            run.compare();
        }
    }
    let log = verified(&run.home).unwrap();
    assert!(log > 500, "{log} records");
    assert!(run.hot > 500, "{} reads of what lay opened", run.hot);
    assert!(run.disturbed.iter().all(|times| *times >= 10), "{:?}", run.disturbed);
}
