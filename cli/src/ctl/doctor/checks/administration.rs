//! What only root is told: slots, users, what waits to be heeded or deleted.

use tokenvault_proto::{CLOCK_HOLDS_BACK, CLOCK_UNCONFIRMED, UserInfo};

use super::super::facts::{Answers, Records};
use super::state::{NEARLY_FULL, is_nearly_full};
use super::{Answer, failed, ok, warning};

/// As many names as a line takes.
const NAMED: usize = 5;
const CLOSED: &str = "unknown while the vault is not open";

fn names<'a>(users: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = users.collect();
    let (named, more) = all.split_at(all.len().min(NAMED));
    match more.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

pub(super) fn slots(answers: &Answers) -> Option<Answer> {
    let kinds = answers.records.as_ref()?.slots.as_ref()?;
    Some(match kinds.as_slice() {
        [] => ok("there is none yet"),
        kinds => ok(kinds.join(", ")),
    })
}

pub(super) fn quotas(answers: &Answers) -> Option<Answer> {
    Some(of_users(answers.records.as_ref()?, |users| {
        let full: Vec<&UserInfo> = users.iter().filter(|user| is_full(user)).collect();
        let Some(first) = full.first() else { return ok(format!("nobody has used {NEARLY_FULL} % of theirs")) };
        let message =
            format!("{NEARLY_FULL} % or more is used by {}", names(full.iter().map(|user| user.user.as_str())));
        let raise = full_quotas(first).map(|quota| format!(" --quota-{quota} COUNT")).collect::<String>();
        let what = full_quotas(first).collect::<Vec<_>>().join(" and ");
        let fix = format!(
            "the {what} of {name}: tokenvaultctl user show {uid}; tokenvaultctl user set {uid}{raise}",
            name = first.user,
            uid = first.uid
        );
        warning(message, fix)
    }))
}

fn is_full(user: &UserInfo) -> bool {
    full_quotas(user).next().is_some()
}

/// Which quotas of a user are nearly used up, as the options that raise them name them.
fn full_quotas(user: &UserInfo) -> impl Iterator<Item = &'static str> {
    let quotas = [("tokens", user.tokens, user.quota_tokens), ("bytes", user.bytes, user.quota_bytes)];
    quotas.into_iter().filter(|(_, used, quota)| is_nearly_full(*used, *quota)).map(|(name, ..)| name)
}

pub(super) fn users(answers: &Answers) -> Option<Answer> {
    Some(of_users(answers.records.as_ref()?, |users| {
        let frozen: Vec<&UserInfo> = users.iter().filter(|user| user.state == tokenvault_proto::USER_FROZEN).collect();
        let Some(first) = frozen.first() else {
            return ok(counted(users.len(), "user, not frozen", "users, none frozen"));
        };
        let message = format!(
            "frozen, by 'user freeze' or because the user was deleted or has another name: {}",
            names(frozen.iter().map(|user| user.user.as_str()))
        );
        let fix = format!(
            "tokenvaultctl user list --frozen; tokenvaultctl user adopt {0}, or tokenvaultctl user purge {0}",
            first.uid
        );
        warning(message, fix)
    }))
}

fn of_users(records: &Records, look: impl FnOnce(&[UserInfo]) -> Answer) -> Answer {
    records.users.as_deref().map_or_else(|| ok(CLOSED), look)
}

pub(super) fn deletions(answers: &Answers) -> Option<Answer> {
    let deletions = &answers.records.as_ref()?.deletions;
    Some(match deletions {
        Err(why) => failed(why, "systemd-tmpfiles --create tokenvault.conf"),
        Ok(notes) => {
            let waiting: Vec<&str> = notes.iter().filter(|note| !note.done).map(|note| note.user.as_str()).collect();
            let is_open = !answers.status.protection.is_empty();
            match (waiting.is_empty(), is_open) {
                (true, _) => ok("nobody was deleted unheeded"),
                (false, true) => warning(
                    format!("deleted, and not frozen yet: {}", names(waiting.into_iter())),
                    "tokenvaultctl cleanup",
                ),
                (false, false) => warning(
                    format!(
                        "deleted while the vault was closed, and frozen when it opens: {}",
                        names(waiting.into_iter())
                    ),
                    "do what the check 'state' says",
                ),
            }
        }
    })
}

pub(super) fn expiry(answers: &Answers) -> Option<Answer> {
    let fix = "timedatectl set-ntp true; where the clock is right as it is: tokenvaultctl cleanup --clock-is-right";
    Some(match answers.health.clock.as_str() {
        "ok" => ok("the time is known to have been right"),
        CLOCK_UNCONFIRMED => {
            ok("nobody has said yet that the clock is right; tokenvault-cleanup.timer does where it is kept so")
        }
        CLOCK_HOLDS_BACK => warning("what has expired stays because nothing says that the clock is right", fix),
        why => failed(why, fix),
    })
}

pub(super) fn groups(answers: &Answers) -> Option<Answer> {
    Some(match answers.health.groups.as_str() {
        "ok" => ok("those that the configuration names are known"),
        why => warning(
            why,
            "groupadd NAME, or correct [users] in /etc/tokenvault/tokenvault.conf and systemctl reload tokenvaultd",
        ),
    })
}
