//! Which user is meant by a name or a uid.

use nix::unistd::User;
use tokenvault_proto::{ErrorCode, UserInfo};

use crate::failure::Failure;

const STATE_FROZEN: &str = "frozen";

/// Whether nobody is given the tokens of a user now.
pub fn is_frozen(user: &UserInfo) -> bool {
    user.state == STATE_FROZEN
}

/// The users of the vault with a name or a uid.
pub fn matching<'a>(users: &'a [UserInfo], word: &str) -> Vec<&'a UserInfo> {
    match uid(word) {
        Some(uid) => users.iter().filter(|user| user.uid == uid).collect(),
        None => users.iter().filter(|user| user.user == word).collect(),
    }
}

/// The one user of the vault that is meant.
pub fn the_one<'a>(users: &'a [UserInfo], word: &str) -> Result<&'a UserInfo, Failure> {
    let found = matching(users, word);
    let present: Vec<&UserInfo> = found.iter().copied().filter(|user| !is_frozen(user)).collect();
    match (found.as_slice(), present.as_slice()) {
        ([user], _) | (_, [user]) => Ok(user),
        ([], _) => Err(Failure::new(
            ErrorCode::NotFound,
            format_args!("the vault has no user '{word}'"),
            "see 'tokenvaultctl user list'",
        )),
        _ => Err(Failure::usage(
            format_args!("several users of the vault had the name '{word}'"),
            "name the uid instead, as 'tokenvaultctl user list' shows it",
        )),
    }
}

/// The uid of a user the vault or, where it has none of that name, this machine knows.
pub fn uid_of(users: &[UserInfo], word: &str) -> Result<u32, Failure> {
    if let Some(uid) = uid(word) {
        return Ok(uid);
    }
    if matching(users, word).is_empty() {
        return uid_on_this_machine(word);
    }
    the_one(users, word).map(|user| user.uid)
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

fn uid(word: &str) -> Option<u32> {
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
    fn of_several_of_one_name_the_present_one_is_meant() {
        let users = [user(1000, "alice", "frozen"), user(1001, "alice", "ok")];
        assert_eq!(the_one(&users, "alice").ok().map(|user| user.uid), Some(1001));
        assert_eq!(matching(&users, "alice").len(), 2);
        let gone = [user(1000, "alice", "frozen"), user(1001, "alice", "frozen")];
        assert!(the_one(&gone, "alice").err().unwrap().line().unwrap().contains("name the uid"));
    }
}
