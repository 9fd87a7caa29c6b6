//! Calls by method and outcome.

use std::time::Duration;

use tokenvault_proto::{
    ADMIN_INTERFACE, ErrorCode, ISSUER_INTERFACE, LOGIN_INTERFACE, MANAGER_INTERFACE, TOKENS_INTERFACE,
};

use super::openmetrics::Text;
use super::tally::Tally;

/// What is counted together where it is none of the methods: what does not exist.
const OTHER: &str = "other";
/// What units are given, through a door of its own.
const LOAD_CREDENTIAL: &str = "LoadCredential";

/// All methods, by interface.
const METHODS: [(&str, &[&str]); 5] = [
    (
        TOKENS_INTERFACE,
        &[
            "Get", "Put", "Generate", "Describe", "List", "Annotate", "Rename", "Delete", "Versions", "Rollback",
            "Share", "Unshare", "Shares", "Offer", "Redeem", "Fetches",
        ],
    ),
    (ISSUER_INTERFACE, &["Validate", "Issue", "Revoke", "RevokeAll", "Issued"]),
    (MANAGER_INTERFACE, &["Status", "WhoAmI", "Health", "Metrics", "Operation", "Cancel", "Subscribe", "Unsubscribe"]),
    (LOGIN_INTERFACE, &["State", "Enrol", "Unlock", "Lock", "SetKey", "Recover", "Lease"]),
    (
        ADMIN_INTERFACE,
        &[
            "Slots",
            "AddSlot",
            "RemoveSlot",
            "Seal",
            "Unseal",
            "ConfirmRecovery",
            "TestCredential",
            "Audit",
            "VerifyAudit",
            "Verify",
            "Rotate",
            "Backup",
            "Restore",
            "Lockdown",
            "Recover",
            "Reload",
            "Cleanup",
            "Users",
            "SetUser",
            "FreezeUser",
            "PurgeUser",
            "AdoptUser",
            "Deletions",
            "Expiring",
        ],
    ),
];

/// Done, or one of the errors of the contract, by its number.
const OUTCOMES: usize = ErrorCode::TABLE.len() + 1;

/// A method, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method(usize);

impl Method {
    /// The one that nearly all calls are of.
    pub const GET: Self = Self(0);

    /// By interface and name; what is none is counted with others of its kind.
    pub fn find(interface: &str, member: &str) -> Self {
        let mut before = 0;
        for (known, members) in METHODS {
            if known == interface {
                let place = members.iter().position(|name| *name == member);
                return place.map_or_else(Self::other, |place| Self(before + place));
            }
            before += members.len();
        }
        Self::other()
    }

    /// What a unit is given.
    pub fn load_credential() -> Self {
        Self(Self::known())
    }

    fn other() -> Self {
        Self(Self::known() + 1)
    }

    fn known() -> usize {
        METHODS.iter().map(|(_, members)| members.len()).sum()
    }
}

/// How many calls there were, and how long they took.
pub struct CallMetrics {
    methods: Box<[Tally<OUTCOMES>]>,
}

impl Default for CallMetrics {
    fn default() -> Self {
        Self { methods: (0..Method::known() + 2).map(|_| Tally::default()).collect() }
    }
}

impl CallMetrics {
    /// Counts a call that has ended; `refused` is what it was refused with.
    pub fn count(&self, Method(method): Method, refused: Option<ErrorCode>, took: Duration) {
        let outcome = refused.and_then(|code| usize::try_from(code.number()).ok()).unwrap_or(0);
        if let Some(tally) = self.methods.get(method) {
            tally.count(outcome, took);
        }
    }

    /// Writes everything.
    pub(super) fn write(&self, text: &mut Text) {
        let mut calls = text.counter("tokenvault_calls", "Calls that have ended, by method and outcome.");
        for (name, tally) in names().zip(&self.methods) {
            for (number, count) in tally.outcomes().into_iter().enumerate() {
                // Of what never happened, that nothing went well is said alone.
                if count > 0 || number == 0 {
                    calls.sample(&[("method", &name), ("outcome", outcome(number))], count);
                }
            }
        }
        let help = "Time from when a call was read until its reply was written.";
        let mut times = text.seconds("tokenvault_call_duration_seconds", help);
        for (name, tally) in names().zip(&self.methods) {
            if let Some(buckets) = tally.times() {
                times.histogram(&[("method", &name)], &buckets);
            }
        }
    }
}

/// The names of all, in their places: `Tokens.Get`.
fn names() -> impl Iterator<Item = String> {
    let methods = METHODS.into_iter().flat_map(|(interface, members)| {
        let short = interface.rsplit('.').next().unwrap_or(interface);
        members.iter().map(move |member| format!("{short}.{member}"))
    });
    methods.chain([LOAD_CREDENTIAL, OTHER].map(str::to_owned))
}

fn outcome(number: usize) -> &'static str {
    number.checked_sub(1).and_then(|place| ErrorCode::TABLE.get(place)).map_or("ok", |entry| entry.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// `Interface.Member` of every method in the introspection document.
    fn served() -> BTreeSet<String> {
        let document = include_str!("../../../packaging/dbus/org.tokenvault1.xml");
        let mut names = BTreeSet::new();
        for part in document.split("<interface name=\"org.tokenvault1.").skip(1) {
            let (interface, methods) = part.split_once('"').unwrap();
            for method in methods.split("<method name=\"").skip(1) {
                names.insert(format!("{interface}.{}", method.split_once('"').unwrap().0));
            }
        }
        names
    }

    #[test]
    fn every_method_that_is_served_is_counted_by_its_name() {
        let all: Vec<String> = names().collect();
        let known: BTreeSet<String> = all.iter().take(Method::known()).cloned().collect();
        assert_eq!(known, served());
        for (place, name) in all.iter().take(Method::known()).enumerate() {
            let (interface, member) = name.split_once('.').unwrap();
            assert_eq!(Method::find(&format!("org.tokenvault1.{interface}"), member), Method(place), "{name}");
        }
        assert_eq!(Method::find(TOKENS_INTERFACE, "Get"), Method::GET);
        assert_eq!(all[Method::load_credential().0], LOAD_CREDENTIAL);
        for (interface, member) in [(TOKENS_INTERFACE, "Status"), ("a.b", "Get"), ("", "")] {
            assert_eq!(all[Method::find(interface, member).0], OTHER);
        }
    }

    #[test]
    fn outcomes_are_the_names_of_the_contract() {
        assert_eq!((outcome(0), outcome(1), outcome(3)), ("ok", "Failed", "NotFound"));
        for entry in ErrorCode::TABLE {
            assert_eq!(outcome(usize::try_from(entry.code.number()).unwrap()), entry.name);
        }
    }
}
