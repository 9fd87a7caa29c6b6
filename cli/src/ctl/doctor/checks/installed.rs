//! What is looked at of an installed vault beside its sockets.

use super::super::super::config::Judgement;
use super::super::facts::Facts;
use super::super::installed::Policy;
use super::super::modes::Exposed;
use super::{Answer, failed, ok, warning};
use crate::output::bytes;

/// Less than this of the file system is too little, in percent, and this many bytes in any case.
const LITTLE_PERCENT: u128 = 5;
const LITTLE: u64 = 64 << 20;
const REINSTALL: &str = "apt-get install --reinstall tokenvault, or packaging/install, then systemctl reload dbus";

pub(super) fn bus_policy(facts: &Facts) -> Option<Answer> {
    Some(match &facts.installed.as_ref()?.bus_policy {
        Policy::Equal | Policy::NotNeeded => ok("the bus lets the daemon be org.tokenvault1, and everybody call it"),
        Policy::Differs(path) => warning(format!("{path} is not the one of this release"), REINSTALL),
        Policy::Missing => {
            failed("the bus has no policy for org.tokenvault1: only the private socket works", REINSTALL)
        }
    })
}

pub(super) fn polkit(facts: &Facts) -> Option<Answer> {
    Some(match &facts.installed.as_ref()?.polkit {
        Policy::Equal | Policy::Differs(_) => ok("polkit is asked who administers"),
        Policy::NotNeeded => ok("there is no polkit: root alone administers"),
        Policy::Missing => warning("polkit does not know org.tokenvault1.admin: root alone administers", REINSTALL),
    })
}

pub(super) fn space(facts: &Facts) -> Option<Answer> {
    let space = facts.installed.as_ref()?.space?;
    let (free, total) = (bytes(space.free), bytes(space.total));
    let is_little = space.free < LITTLE || u128::from(space.free) * 100 < u128::from(space.total) * LITTLE_PERCENT;
    Some(if is_little {
        let fix = "free space on the file system of /var/lib/tokenvault: df -h /var/lib/tokenvault";
        warning(format!("{free} of {total} are left; without any nothing is stored"), fix)
    } else {
        ok(format!("{free} of {total} are left"))
    })
}

pub(super) fn modes(facts: &Facts) -> Option<Answer> {
    let exposed = &facts.installed.as_ref()?.exposed;
    Some(match exposed.as_slice() {
        [] => ok("store and settings are as private as they have to be"),
        all => {
            let say = |part: fn(&Exposed) -> &str| all.iter().map(part).collect::<Vec<_>>().join("; ");
            failed(say(|exposed| &exposed.fault), say(|exposed| &exposed.mend))
        }
    })
}

/// What `config check` says: also of files that no daemon has read yet, and the next one will not take.
pub(super) fn config(facts: &Facts) -> Option<Answer> {
    const CORRECT: &str = "correct it; tokenvaultctl config check; systemctl reload-or-restart tokenvaultd";
    Some(match &facts.installed.as_ref()?.configuration {
        Judgement::Good => ok("the daemon's program takes its files as they are"),
        Judgement::Unreadable => ok("unknown: some of its files are for root alone to read"),
        Judgement::Remark(remark) => warning(remark, "tokenvaultctl config show"),
        Judgement::Bad(why) => failed(why, CORRECT),
        Judgement::Unasked(why) => warning(format!("it cannot be checked: {why}"), REINSTALL),
    })
}

pub(super) fn has_bad_configuration(facts: &Facts) -> bool {
    facts.installed.as_ref().is_some_and(|installed| matches!(installed.configuration, Judgement::Bad(_)))
}
