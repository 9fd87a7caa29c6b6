//! `[users.roles]`: which users and groups have a role.

use std::fmt;

use serde::Deserialize;
use tokenvault_core::policy::Role;

/// Longest name of a user or group.
const NAME_BYTES_MAX: usize = 256;

/// Somebody who is given a role, as the file names him.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Named {
    /// A user by its name.
    User(String),
    /// The members of a group.
    Group(String),
}

impl TryFrom<String> for Named {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_name = |name: &str| {
            (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains([':', '/']) && !name.contains(char::is_control)
        };
        match text.split_once(':') {
            Some(("user", name)) if is_name(name) => Ok(Self::User(name.to_owned())),
            Some(("group", name)) if is_name(name) => Ok(Self::Group(name.to_owned())),
            _ => Err(format!("\"{}\" is neither \"user:NAME\" nor \"group:NAME\"", text.escape_debug())),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(formatter, "user:{name}"),
            Self::Group(name) => write!(formatter, "group:{name}"),
        }
    }
}

/// The table as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RolesTable {
    consumer: Option<Vec<Named>>,
    developer: Option<Vec<Named>>,
    auditor: Option<Vec<Named>>,
    admin: Option<Vec<Named>>,
}

/// Who has which role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles(Vec<(Role, Vec<Named>)>);

impl Roles {
    /// Takes over what a file sets: the list of a role replaces what it was.
    pub(super) fn apply(&mut self, table: RolesTable) {
        let RolesTable { consumer, developer, auditor, admin } = table;
        for (role, named) in
            [(Role::Consumer, consumer), (Role::Developer, developer), (Role::Auditor, auditor), (Role::Admin, admin)]
        {
            if let Some(named) = named {
                self.0.retain(|(known, _)| *known != role);
                if !named.is_empty() {
                    self.0.push((role, named));
                }
            }
        }
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = (Role, &Named)> {
        self.0.iter().flat_map(|(role, named)| named.iter().map(|named| (*role, named)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_users_and_groups_are_named() {
        for (text, named) in
            [("user:carol", Named::User("carol".into())), ("group:DOM\\wheel x", Named::Group("DOM\\wheel x".into()))]
        {
            assert_eq!(Named::try_from(text.to_owned()), Ok(named.clone()));
            assert_eq!(named.to_string(), text);
        }
        for text in ["", "carol", "user:", "group:a:b", "uid:7", "user:a\nb", "group:a/b", "User:carol"] {
            let refused = Named::try_from(text.to_owned()).unwrap_err();
            assert!(refused.contains("user:NAME") && !refused.contains('\n'), "{refused}");
        }
    }
}
