//! With whom a token is shared.
//!
//! Each kind says by whom it is vouched for: a unit by the service manager, at the socket it fetches credentials from. A kind
//! that is added gets a number of its own in the record and a word of its own in the tag.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::Caller;
use crate::error::Error;
use crate::token::Permission;
use crate::unit::UnitName;

/// Who may use a token beside its owner.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Grantee {
    /// A service of the system's service manager.
    #[n(0)]
    Unit(#[n(0)] UnitName),
}

impl Grantee {
    /// From the interface's words.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for what is no grantee, or none of this release.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some(("unit", name)) => UnitName::parse(name).map(Self::Unit),
            Some(("user" | "uid" | "group", _)) => Err(Error::InvalidArgs(
                "sharing with users and groups is not in this release; a grantee is 'unit:NAME.service'".into(),
            )),
            _ => Err(Error::InvalidArgs("a grantee is 'unit:NAME.service'".into())),
        }
    }

    /// Refuses a permission that this kind of grantee cannot have.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`].
    pub fn check_permission(&self, permission: Permission) -> Result<(), Error> {
        match (self, permission) {
            (Self::Unit(_), Permission::Read) => Ok(()),
            (Self::Unit(_), Permission::Write) => Err(Error::InvalidArgs(
                "option 'permission' must be 'read' for a unit, which is handed the value and can store none; leave it out"
                    .into(),
            )),
        }
    }

    /// Whether somebody who asks is meant.
    pub fn includes(&self, _caller: &Caller) -> bool {
        match self {
            // Who asks for a unit is the service manager, at a socket of its own.
            Self::Unit(_) => false,
        }
    }

    /// Kind and name, for the tag it is found by.
    pub(crate) fn kind_and_name(&self) -> (&'static str, &str) {
        match self {
            Self::Unit(name) => ("unit", name.as_str()),
        }
    }
}

/// As the interface writes it.
impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.kind_and_name();
        write!(f, "{kind}:{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_written_as_it_was_read() {
        assert_eq!(Grantee::parse("unit:web@1.service").unwrap().to_string(), "unit:web@1.service");
    }

    #[test]
    fn kinds_to_come_are_told_apart_from_nonsense() {
        for text in ["user:alice", "uid:1000", "group:wheel"] {
            assert!(Grantee::parse(text).unwrap_err().to_string().contains("not in this release"), "{text}");
        }
        for text in ["", "app.service", "unit:", "unit", "units:app.service", "Unit:app.service", "unit: app.service"] {
            let error = Grantee::parse(text).unwrap_err();
            assert!(matches!(&error, Error::InvalidArgs(why) if !why.contains("release")), "{text}: {error}");
        }
    }

    #[test]
    fn a_unit_only_reads() {
        let unit = Grantee::parse("unit:app.service").unwrap();
        assert!(unit.check_permission(Permission::Read).is_ok());
        assert!(matches!(unit.check_permission(Permission::Write), Err(Error::InvalidArgs(_))));
    }
}
