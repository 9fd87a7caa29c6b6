//! One kill after the other.

use tokenvault_client::Client;
use tokenvault_proto::ErrorCode;
use tokenvault_tests::{ALICE, Door, Vault, wait};

use crate::shelf::{Change, Shelf, look};

/// Changes after which the call to be killed before will not come.
const CHANGES_MAX: u64 = 2_000;

/// A user's tokens, and what is known of them.
struct Story {
    shelf: Shelf,
    /// The change that was asked for and not acknowledged when the daemon died: made or not made, nothing in between.
    open: Option<Change>,
    number: u64,
}

impl Story {
    /// What the vault holds is what was acknowledged; false when the daemon died before it had told.
    fn check(&mut self, client: &Client, when: &str) -> bool {
        let found = match look(client) {
            Err(error) if error.code() == ErrorCode::Unavailable => return false,
            found => found.unwrap_or_else(|error| panic!("{when}: {error}")),
        };
        let made = self.open.take().map(|change| change.applied(&self.shelf));
        assert!(
            found == self.shelf || made.as_ref() == Some(&found),
            "{when}: found {found:#?}\nacknowledged {:#?}\nor {made:#?}",
            self.shelf
        );
        self.shelf = found;
        true
    }

    /// Makes changes until the daemon dies.
    fn go_on(&mut self, client: &Client) {
        for _ in 0..CHANGES_MAX {
            let change = Change::of(self.number, &self.shelf);
            self.number += 1;
            if change.make(client).is_err() {
                self.open = Some(change);
                return;
            }
            self.shelf = change.applied(&self.shelf);
        }
    }
}

/// Kills the daemon before the n-th call of a kind in one of its threads, for n = 1, 2, 3, … up to `last`.
fn kill_before_each(call: &str, last: u64) {
    let mut vault = Vault::builder().limit("writes-per-second", 0).without_bus().start();
    let mut story = Story { shelf: Shelf::new(), open: None, number: 0 };
    vault.client(ALICE, Door::Socket).put("name/0", b"first", &Default::default()).unwrap();
    story.shelf = look(&vault.client(ALICE, Door::Socket)).unwrap();
    vault.stop_daemon();
    for point in 1..=last {
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={point}"));
        let strace = ["/usr/bin/strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        if vault.start_daemon_under(&strace)
            && let Some(client) = vault.client_if_up(ALICE, Door::Socket)
            && story.check(&client, &format!("{call} {point}"))
        {
            story.go_on(&client);
        }
        vault.daemon().process().wait(wait::PATIENCE).expect("the daemon was to be killed");
    }
    vault.start_daemon();
    vault.wait_for_state("serving");
    assert!(story.check(&vault.client(ALICE, Door::Socket), &format!("{call}, after the last")));
}

macro_rules! killed_before {
    ($($(#[$meta:meta])* $test:ident: $call:literal, $last:literal;)*) => {$(
        $(#[$meta])*
        #[test]
        fn $test() {
            kill_before_each($call, $last);
        }
    )*};
}

killed_before! {
    writing: "pwrite64", 150;
    syncing: "fsync", 80;
    /// The write is durable and its answer is lost.
    answering: "sendmsg", 80;
    /// The log that held deleted rows is emptied.
    truncating: "ftruncate", 10;
}
