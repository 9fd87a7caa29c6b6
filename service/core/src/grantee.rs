//! With whom a token is shared.
//!
//! Each kind says by whom it is vouched for: a unit by the service manager, at the socket it fetches credentials from; a user
//! and a group by the kernel or the bus, as numbers, and by the user database, which names them. Number and name are both
//! kept, and both must still match when the share is used: whoever has the number, or the name, later on is somebody else.
//! A kind that is added gets a number of its own in the record and a word of its own in the tag.

use std::borrow::Cow;
use std::fmt;

use minicbor::{Decode, Encode};

use crate::Caller;
use crate::error::Error;
use crate::issued::{GroupNow, Membership, Named};
use crate::name::Hint;
use crate::token::Permission;
use crate::unit::UnitName;

/// Who may use a token beside its owner.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Grantee {
    /// A service of the system's service manager.
    #[n(0)]
    Unit(#[n(0)] UnitName),
    /// A user of this machine.
    #[n(1)]
    User(#[n(0)] Named),
    /// The members of a group of this machine.
    #[n(2)]
    Group(#[n(0)] Named),
}

impl Grantee {
    /// Refuses a permission that this kind of grantee cannot have.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`].
    pub fn check_permission(&self, permission: Permission) -> Result<(), Error> {
        match (self, permission) {
            (Self::Unit(_), Permission::Write) => Err(Error::InvalidArgs(
                "option 'permission' must be 'read' for a unit, which is handed the value and can store none; leave it out"
                    .into(),
            )),
            (Self::Unit(_), Permission::Read) | (Self::User(_) | Self::Group(_), _) => Ok(()),
        }
    }

    /// Whether a caller is meant, where the groups that were looked up have these numbers.
    pub fn includes(&self, caller: &Caller, groups: &[GroupNow]) -> bool {
        match self.membership(caller) {
            Membership::Yes => true,
            Membership::No => false,
            Membership::IfGroup(group) => {
                groups.iter().any(|now| now.name == group.name && now.gid == Some(group.number))
            }
        }
    }

    /// Whether a caller is meant.
    pub(crate) fn membership(&self, caller: &Caller) -> Membership<'_> {
        match self {
            Self::User(user) if user.number == caller.uid && user.name == *caller.user => Membership::Yes,
            Self::Group(group) if caller.gids.contains(&group.number) => Membership::IfGroup(group),
            Self::Unit(_) | Self::User(_) | Self::Group(_) => Membership::No,
        }
    }

    /// What it is found by: the numbers of users and groups, since of a caller the kernel says no more.
    pub(crate) fn key(&self) -> Key<'_> {
        match self {
            Self::Unit(name) => Key::Unit(name.as_str()),
            Self::User(user) => Key::Uid(user.number),
            Self::Group(group) => Key::Gid(group.number),
        }
    }
}

/// As the interface writes it.
impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(name) => write!(f, "unit:{}", name.as_str()),
            Self::User(user) => write!(f, "user:{}", user.name),
            Self::Group(group) => write!(f, "group:{}", group.name),
        }
    }
}

/// What the shares of a grantee are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    /// The name of a unit.
    Unit(&'a str),
    /// The number of a user.
    Uid(u32),
    /// The number of a group.
    Gid(u32),
}

impl<'a> Key<'a> {
    /// Kind and name, for the tag.
    pub fn kind_and_name(self) -> (&'static str, Cow<'a, str>) {
        match self {
            Self::Unit(name) => ("unit", name.into()),
            Self::Uid(uid) => ("uid", uid.to_string().into()),
            Self::Gid(gid) => ("gid", gid.to_string().into()),
        }
    }
}

/// A grantee in the interface's words, whom nobody has looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GranteeText {
    /// `unit:NAME.service`
    Unit(UnitName),
    /// `user:NAME`
    User(String),
    /// `uid:N`
    Uid(u32),
    /// `group:NAME`
    Group(String),
}

impl GranteeText {
    /// From the interface's words.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for what is no grantee.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let malformed =
            || Error::InvalidArgs("a grantee is 'user:NAME', 'uid:NUMBER', 'group:NAME' or 'unit:NAME.service'".into());
        let name_of = |name: &str| match Hint::parse("grantee", name)?.as_str() {
            "" => Err(malformed()),
            name => Ok(name.to_owned()),
        };
        match text.split_once(':') {
            Some(("unit", name)) => UnitName::parse(name).map(Self::Unit),
            Some(("user", name)) => name_of(name).map(Self::User),
            Some(("group", name)) => name_of(name).map(Self::Group),
            Some(("uid", number)) => {
                let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| number.parse().ok()).flatten().map(Self::Uid).ok_or_else(malformed)
            }
            _ => Err(malformed()),
        }
    }

    /// Whether it means a grantee, be that one still there or not.
    pub(crate) fn means(&self, grantee: &Grantee) -> bool {
        match (self, grantee) {
            (Self::Unit(name), Grantee::Unit(unit)) => name == unit,
            (Self::User(name), Grantee::User(user)) => *name == user.name,
            (Self::Uid(uid), Grantee::User(user)) => *uid == user.number,
            (Self::Group(name), Grantee::Group(group)) => *name == group.name,
            _ => false,
        }
    }
}

/// As the interface writes it.
impl fmt::Display for GranteeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(name) => write!(f, "unit:{}", name.as_str()),
            Self::User(name) => write!(f, "user:{name}"),
            Self::Uid(uid) => write!(f, "uid:{uid}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Door;

    fn named(number: u32, name: &str) -> Named {
        Named { number, name: name.to_owned() }
    }

    fn caller(uid: u32, user: &str, gids: &[u32]) -> Caller {
        Caller { uid, gids: gids.into(), user: user.into(), door: Door::Socket, pid: None }
    }

    #[test]
    fn a_grantee_is_written_as_it_was_read() {
        for text in ["unit:web@1.service", "user:alice", "uid:1000", "uid:4294967295", "group:domain users", "user:é"]
        {
            assert_eq!(GranteeText::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_no_grantee() {
        let long = format!("user:{}", "a".repeat(256));
        for text in [
            "",
            "alice",
            "unit",
            "unit:",
            "app.service",
            "units:app.service",
            "Unit:app.service",
            "unit: app.service",
            "user:",
            "user: ",
            "group:",
            "user:a\nb",
            "uid:",
            "uid:-1",
            "uid:+1",
            "uid:1x",
            "uid:4294967296",
            "gid:1",
            &long,
        ] {
            assert!(matches!(GranteeText::parse(text), Err(Error::InvalidArgs(_))), "{text}");
        }
    }

    #[test]
    fn a_unit_only_reads() {
        let unit = Grantee::Unit(UnitName::parse("app.service").unwrap());
        assert!(unit.check_permission(Permission::Read).is_ok());
        assert!(matches!(unit.check_permission(Permission::Write), Err(Error::InvalidArgs(_))));
        assert!(Grantee::User(named(1, "a")).check_permission(Permission::Write).is_ok());
    }

    #[test]
    fn number_and_name_of_a_user_must_both_match() {
        let bob = Grantee::User(named(1002, "bob"));
        assert_eq!(bob.membership(&caller(1002, "bob", &[])), Membership::Yes);
        for (uid, name) in [(1002, "mallory"), (1003, "bob")] {
            assert_eq!(bob.membership(&caller(uid, name, &[1002])), Membership::No, "{name}");
        }
    }

    #[test]
    fn of_a_group_the_number_is_only_the_half() {
        let (ops, number) = (Grantee::Group(named(500, "ops")), named(500, "ops"));
        assert_eq!(ops.membership(&caller(1, "a", &[1, 500])), Membership::IfGroup(&number));
        assert_eq!(ops.membership(&caller(500, "ops", &[1])), Membership::No);
    }

    #[test]
    fn whoever_is_gone_is_still_meant() {
        let bob = Grantee::User(named(1002, "bob"));
        for (text, means) in [("user:bob", true), ("uid:1002", true), ("uid:1", false), ("group:bob", false)] {
            assert_eq!(GranteeText::parse(text).unwrap().means(&bob), means, "{text}");
        }
    }
}
