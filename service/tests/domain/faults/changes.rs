//! D1 and D2: changes of a vault on a TPM, which counts meanwhile.

use std::sync::{Arc, OnceLock};

use tokenvault_core::vault::{Settings, State};

use super::ends::{Cause, End, each};
use super::story::sight;
use super::{Step, record};
use crate::fixture::*;

/// Power cuts, and kills, that are tried.
const CUTS: usize = 2_000;
const KILLS: usize = 1_000;

/// What the process did; the first step is the first acknowledgement.
struct Story {
    steps: Vec<Step>,
    first: usize,
}

fn story() -> &'static Story {
    static STORY: OnceLock<Story> = OnceLock::new();
    STORY.get_or_init(|| {
        let steps = record("changes");
        let is_acknowledged = |step: &Step| matches!(step, Step::Told(line) if line.starts_with("ack "));
        let first = steps.iter().position(is_acknowledged).expect("something was acknowledged");
        Story { steps, first }
    })
}

impl Story {
    /// What was told by then, under a word.
    fn told<'a>(&'a self, word: &'a str, steps: usize) -> impl Iterator<Item = &'a str> {
        self.steps.iter().take(steps).filter_map(move |step| match step {
            Step::Told(line) => line.strip_prefix(word)?.strip_prefix(' '),
            _ => None,
        })
    }

    /// Opens the vault on what is left.
    fn check(&self, end: &End) {
        let mut home = Home::in_directory(end.directory());
        let counters = self.told("tpm", end.steps).last().unwrap_or_default();
        home.tpm = Some(Arc::new(ScriptedCounter::with(counters)));
        home.start(Settings::default());
        let unsealed = home.unseal();
        let (status, place) = (home.vault().status(), &end.place);
        assert_eq!(status.state, State::Serving, "{place}: {unsealed:?} {status:?}");
        home.vault().verify_rows(&Unwatched).unwrap_or_else(|error| panic!("{place}: {error}"));
        home.vault().verify_indexes().unwrap_or_else(|error| panic!("{place}: {error}"));
        verified(&home).unwrap_or_else(|fault| panic!("{place}: {fault:?}"));
        let acknowledged = self.told("ack", end.steps).count();
        let mut allowed = self.told("ack", self.steps.len()).skip(acknowledged - 1).take(2);
        let seen = sight(&home).to_string();
        assert!(allowed.any(|sight| *sight == seen), "{place}: not all of {acknowledged} changes are there");
        for uid in home.vault().unfinished_rotations().unwrap() {
            home.rotate_user(uid, false).unwrap_or_else(|error| panic!("{place}: uid {uid}: {error}"));
        }
        home.resume_keyring().unwrap_or_else(|error| panic!("{place}: keyring: {error}"));
        assert!(!home.vault().has_unfinished_keyring_rotation().unwrap(), "{place}");
        home.restart();
        assert_eq!(sight(&home).to_string(), seen, "{place}: what it was after that goes on");
        home.check_counters();
        home.alice().put("after", b"it goes on").unwrap();
    }

    fn changes(&self) -> usize {
        self.told("ack", self.steps.len()).count()
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_power_cut_at_any_place_needs_root_and_strace() {
    let story = story();
    let mut random = Random::new(2);
    let room = (story.steps.len() - story.first) as u64;
    let mut places: Vec<usize> =
        (0..CUTS).map(|_| story.first + usize::try_from(random.below(room)).unwrap()).collect();
    places.sort_unstable();
    each(&story.steps, Cause::PowerCut, &places, |end| story.check(end));
    let syncs = story.steps.iter().filter(|step| matches!(step, Step::Sync(_) | Step::SyncDirectory)).count();
    assert!(story.changes() > 300 && syncs > 300, "{} changes, {syncs} syncs", story.changes());
    proof(
        "D2",
        &format!(
            "{} power cuts among {} changes and {syncs} syncs: none lost, none torn",
            places.len(),
            story.changes()
        ),
    );
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill_before_any_write_needs_root_and_strace() {
    let story = story();
    let writes: Vec<usize> =
        (story.first..story.steps.len()).filter(|at| !matches!(story.steps[*at], Step::Told(_))).collect();
    let places: Vec<usize> = writes.iter().copied().step_by((writes.len() / KILLS).max(1)).collect();
    each(&story.steps, Cause::Kill, &places, |end| story.check(end));
    assert!(places.len() >= KILLS, "{} kills", places.len());
    proof(
        "D1",
        &format!(
            "{} kills among {} changes and {} writes: none lost, none torn",
            places.len(),
            story.changes(),
            writes.len()
        ),
    );
}
