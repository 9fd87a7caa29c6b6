//! S4: a long run with a copy of the store at each step, while replies of the TPM are lost and its worker is killed. Each
//! copy is put back: what is older than the last raise does not open. The vault's own store opens each time.

use std::path::Path;

use rusqlite::types::Value;
use tempfile::TempDir;
use tokenvault_core::vault::State;

use crate::fixture::anchoring::{anchored, boot, held, raise, restart, roll_back, snapshot};
use crate::fixture::*;

const STEPS: usize = 200;

/// What keeps an old store from passing for the present one, by the name it has in the file.
const HOLDS: [(&str, &str); 3] = [("anchor", "anchor"), ("row-sum", "accumulator"), ("slot-mac", "MAC")];

/// What happened to the vault's own store.
#[derive(Default)]
struct Figure {
    lost: usize,
    killed: usize,
    restarts: usize,
    bricks: usize,
}

/// The vault, its copies, and which of them is the first from after the last raise.
struct Run {
    home: Home,
    copies: Vec<TempDir>,
    last: usize,
    figure: Figure,
}

impl Run {
    fn new() -> Self {
        let mut run = Self { home: anchored(), copies: Vec::new(), last: 0, figure: Figure::default() };
        for step in 0..STEPS {
            run.home.alice().put("a", format!("{step}").as_bytes()).unwrap();
            match step % 9 {
                2 => run.fail(Fails::After, step),
                5 => run.raise(),
                8 => run.fail(Fails::Before, step),
                _ => {}
            }
            run.copies.push(snapshot(&mut run.home));
        }
        run
    }

    fn raise(&mut self) {
        raise(&self.home);
        self.last = self.copies.len();
    }

    /// A raise whose answer is lost, or whose worker is killed before it has done anything; every other time the vault is
    /// started again, twice in a row, before anything else.
    fn fail(&mut self, how: Fails, step: usize) {
        self.home.tpm().fail_once(Step::Raise, how);
        assert!(self.home.vault().raise_anchor().is_err() && self.home.tpm().has_failed());
        // At the next start at the latest.
        self.last = self.copies.len();
        match how {
            Fails::After => self.figure.lost += 1,
            Fails::Before => self.figure.killed += 1,
        }
        if step.is_multiple_of(2) {
            for _ in 0..2 {
                restart(&mut self.home);
                self.figure.restarts += 1;
                self.figure.bricks += usize::from(!held(&self.home));
            }
        }
    }
}

/// What is kept under a name in a closed store.
fn kept(directory: &Path, name: &str) -> Value {
    Database::open(&directory.join("vault.db")).value("SELECT value FROM meta WHERE key = ?1", [name])
}

#[test]
fn of_a_copy_at_each_step_those_from_before_the_last_raise_are_refused_and_the_present_store_always_opens() {
    let Run { mut home, copies, last, mut figure } = Run::new();
    assert!(last < STEPS - 1, "some are later: {last}");
    home.stop();
    let present = home.copy();
    assert_eq!(boot(&mut home), State::Serving);
    let mut quarantined = 0;
    for (number, copy) in copies.iter().enumerate() {
        let state = roll_back(&mut home, copy);
        assert_eq!(
            state == State::Serving,
            number >= last,
            "copy {number}, the last raise was before {last}: {state:?}"
        );
        if state == State::Quarantined {
            quarantined += 1;
            assert_eq!(refused(home.alice().get("a")), Refused::Quarantined);
            let status = home.vault().status();
            assert!(status.reason.contains("older") && status.reason.contains("tokenvaultctl recover"), "{status:?}");
        }
        if number < last && number % 20 == 0 {
            figure.bricks += usize::from(roll_back(&mut home, &present) != State::Serving);
        }
    }
    let Figure { lost, killed, restarts, bricks } = figure;
    assert!(bricks == 0 && lost > 20 && killed > 20 && restarts > 40);
    proof(
        "S4",
        &format!(
            "{} copies put back and started: {quarantined} of {last} older than the last raise quarantined; {lost} lost \
             replies, {killed} killed workers, {restarts} restarts two in a row: {bricks} bricks",
            copies.len(),
        ),
    );
}

/// Whether a store in which the edit was made is refused.
fn is_refused_after(home: &mut Home, store: &TempDir, edit: impl FnOnce(&Database)) -> bool {
    home.stop();
    home.put_back(store.path());
    edit(&home.database());
    boot(home) == State::Quarantined
}

#[test]
fn anchor_accumulator_and_mac_are_each_missed_and_none_of_them_makes_an_old_store_the_present_one() {
    let mut home = anchored();
    home.alice().put("a", b"old").unwrap();
    let old = snapshot(&mut home);
    home.alice().put("a", b"new").unwrap();
    raise(&home);
    home.stop();
    let present = home.copy();
    assert_eq!(boot(&mut home), State::Serving);
    let (mut edits, mut refusals) = (0, 0);
    let mut tried = |refused: bool, what: &str| {
        edits += 1;
        refusals += usize::from(refused);
        assert!(refused, "{what}");
    };
    for (name, what) in HOLDS {
        let remove = |file: &Database| file.change("DELETE FROM meta WHERE key = ?1", [name]);
        tried(is_refused_after(&mut home, &present, remove), &format!("without its {what}"));
        let (theirs, ours) = (kept(old.path(), name), kept(present.path(), name));
        if theirs != ours {
            let set =
                |value| move |file: &Database| file.change("UPDATE meta SET value = ?1 WHERE key = ?2", (value, name));
            tried(is_refused_after(&mut home, &present, set(theirs)), &format!("with the {what} of an old one"));
            tried(is_refused_after(&mut home, &old, set(ours)), &format!("an old one with the present {what}"));
        }
    }
    assert_eq!(roll_back(&mut home, &present), State::Serving, "the control");
    proof(
        "S4",
        &format!(
            "{} removed or taken from another day one by one: {refusals} of {edits} refused",
            HOLDS.map(|(_, what)| what).join(", ")
        ),
    );
}
