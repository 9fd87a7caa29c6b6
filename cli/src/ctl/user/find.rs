//! Which user is meant by a name or a uid.

use std::collections::BTreeSet;

use nix::unistd::{Uid, User};
use tokenvault_proto::{ErrorCode, USER_FROZEN, UserInfo};

use crate::failure::Failure;

/// Whether nobody is given the tokens of a user now.
pub fn is_frozen(user: &UserInfo) -> bool {
    user.state == USER_FROZEN
}

/// The users of the vault with a name or a uid.
pub fn matching<'a>(users: &'a [UserInfo], word: &str) -> Vec<&'a UserInfo> {
    match uid(word) {
        Some(uid) => users.iter().filter(|user| user.uid == uid).collect(),
        None => users.iter().filter(|user| user.user == word).collect(),
    }
}

/// The one user of the vault that is meant. Of several who had a name, one after the other, none is guessed.
pub fn the_one<'a>(users: &'a [UserInfo], word: &str) -> Result<&'a UserInfo, Failure> {
    match matching(users, word).as_slice() {
        [user] => Ok(user),
        [] => Err(Failure::new(
            ErrorCode::NotFound,
            format_args!("the vault has no user '{word}'"),
            "see 'tokenvaultctl user list'",
        )),
        several => Err(ambiguous(word, several.iter().map(|user| user.uid))),
    }
}

fn ambiguous(word: &str, uids: impl Iterator<Item = u32>) -> Failure {
    let uids: Vec<String> = uids.map(|uid| uid.to_string()).collect();
    Failure::usage(
        format_args!("'{word}' is or was the name of several users, with the uids {}", uids.join(", ")),
        "name the uid instead; 'tokenvaultctl user list' shows who is frozen",
    )
}

/// The uid of a user the vault or this machine knows. Whom the machine calls so now may be somebody else than who was called so
/// in the vault.
pub fn uid_of(users: &[UserInfo], word: &str) -> Result<u32, Failure> {
    if let Some(uid) = uid(word) {
        return Ok(uid);
    }
    let found = matching(users, word);
    if found.is_empty() {
        return uid_on_this_machine(word);
    }
    let here = User::from_name(word).ok().flatten().map(|user| user.uid.as_raw());
    let uids: BTreeSet<u32> = found.iter().map(|user| user.uid).chain(here).collect();
    match (uids.len(), uids.first()) {
        (1, Some(uid)) => Ok(*uid),
        _ => Err(ambiguous(word, uids.into_iter())),
    }
}

/// Of the users who had a name those who are gone, if there are several: the machine says who is there.
pub fn deleted<'a>(users: &'a [UserInfo], word: &str) -> Vec<&'a UserInfo> {
    let mut found = matching(users, word);
    if found.len() > 1 {
        found.retain(|user| !is_here(user));
    }
    found
}

/// Whether this machine says that its uid is of the name that a user of the vault has.
pub fn is_here(user: &UserInfo) -> bool {
    let now = User::from_uid(Uid::from_raw(user.uid)).ok().flatten();
    now.is_some_and(|now| now.name == user.user)
}

/// The uid of a user of this machine.
pub fn uid_on_this_machine(word: &str) -> Result<u32, Failure> {
    if let Some(uid) = uid(word) {
        return Ok(uid);
    }
    match User::from_name(word) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(Failure::new(
            ErrorCode::NotFound,
            format_args!("neither the vault nor this machine has a user '{word}'"),
            "check the name, or name a uid",
        )),
        Err(error) => Err(Failure::new(
            ErrorCode::Unavailable,
            format_args!("the user database does not answer: {}", error.desc()),
            "try again, or name a uid",
        )),
    }
}

/// The uid that a word is, if it is one.
pub fn uid(word: &str) -> Option<u32> {
    word.strip_prefix("uid:").unwrap_or(word).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32, name: &str, state: &str) -> UserInfo {
        UserInfo { uid, user: name.into(), state: state.into(), ..UserInfo::default() }
    }

    #[test]
    fn a_user_is_found_by_name_and_by_uid() {
        let users = [user(1000, "alice", "ok"), user(1001, "bob", "frozen")];
        for word in ["bob", "1001", "uid:1001"] {
            assert_eq!(the_one(&users, word).ok().map(|user| user.uid), Some(1001), "{word}");
        }
        assert_eq!(the_one(&users, "carol").err().unwrap().status(), ErrorCode::NotFound.exit_status());
    }

    #[test]
    fn of_several_of_one_name_none_is_guessed() {
        let users = [user(1000, "alice", "frozen"), user(1001, "alice", "ok")];
        for refusal in [the_one(&users, "alice").err(), uid_of(&users, "alice").err()] {
            let line = refusal.unwrap().line().unwrap();
            assert!(line.contains("1000, 1001") && line.contains("name the uid"), "{line}");
        }
        assert_eq!(matching(&users, "alice").len(), 2);
    }

    #[test]
    fn whoever_has_the_name_on_this_machine_may_be_another() {
        let users = [user(4_000_000_000, "root", "frozen")];
        assert!(uid_of(&users, "root").err().unwrap().line().unwrap().contains("0, 4000000000"));
        assert_eq!(uid_of(&users, "4000000000").ok(), Some(4_000_000_000));
        assert_eq!(uid_of(&[user(0, "root", "ok")], "root").ok(), Some(0));
    }

    #[test]
    fn of_several_only_those_who_are_gone_were_deleted() {
        let users = [user(0, "root", "ok"), user(4_000_000_000, "root", "ok")];
        let uids = |users: &[UserInfo], word| deleted(users, word).iter().map(|user| user.uid).collect::<Vec<_>>();
        assert_eq!(uids(&users, "root"), [4_000_000_000]);
        assert_eq!(uids(&users[..1], "root"), [0], "who says so means it");
    }
}
