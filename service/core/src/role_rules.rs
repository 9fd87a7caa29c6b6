//! Roles that the configuration gives to users and groups, and where the role of a user is from.
//!
//! A role that an administrator set counts before these, these before the one that everybody gets who is taken in. Of rules that
//! name the user the highest counts, else the highest of its groups'; the order is that of [`Role`].

use std::fmt;

use crate::policy::Role;

/// Whom a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleSubject {
    /// Whoever has this name.
    User(String),
    /// The members of a group.
    Group {
        /// Its name, as the configuration has it.
        name: String,
        /// The number it has now.
        gid: u32,
    },
}

impl fmt::Display for RoleSubject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(formatter, "user:{name}"),
            Self::Group { name, .. } => write!(formatter, "group:{name}"),
        }
    }
}

/// A role, and who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRule {
    /// The role.
    pub role: Role,
    /// Who has it.
    pub subject: RoleSubject,
}

/// All rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleRules(Vec<RoleRule>);

impl RoleRules {
    /// These.
    pub const fn new(rules: Vec<RoleRule>) -> Self {
        Self(rules)
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rule that counts for a user of this name and these groups.
    pub fn find(&self, user: &str, gids: &[u32]) -> Option<&RoleRule> {
        let names_user = |rule: &&RoleRule| matches!(&rule.subject, RoleSubject::User(name) if name == user);
        let has_group =
            |rule: &&RoleRule| matches!(&rule.subject, RoleSubject::Group { gid, .. } if gids.contains(gid));
        let by_name = self.0.iter().filter(names_user).max_by_key(|rule| rule.role);
        by_name.or_else(|| self.0.iter().filter(has_group).max_by_key(|rule| rule.role))
    }
}

/// Where a role is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleFrom {
    /// Uid 0 is administrator whatever is said.
    Root,
    /// An administrator set it.
    Set,
    /// The configuration says so of this user or group.
    Rule(RoleSubject),
    /// It is everybody's.
    Default,
}

impl fmt::Display for RoleFrom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => formatter.write_str("root"),
            Self::Set => formatter.write_str("set"),
            Self::Rule(subject) => subject.fmt(formatter),
            Self::Default => formatter.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> RoleRules {
        let group = |name: &str, gid| RoleSubject::Group { name: name.into(), gid };
        let rule = |role, subject| RoleRule { role, subject };
        RoleRules::new(vec![
            rule(Role::Developer, group("staff", 50)),
            rule(Role::Admin, group("wheel", 10)),
            rule(Role::Auditor, RoleSubject::User("carol".into())),
            rule(Role::Consumer, RoleSubject::User("carol".into())),
            rule(Role::Consumer, group("guests", 60)),
        ])
    }

    #[test]
    fn the_highest_of_the_groups_counts_and_a_rule_of_the_users_own_before_all() {
        let rules = rules();
        let found = |user, gids: &[u32]| rules.find(user, gids).map(|rule| (rule.role, rule.subject.to_string()));
        assert_eq!(found("alice", &[]), None);
        assert_eq!(found("alice", &[70]), None);
        assert_eq!(found("alice", &[60]), Some((Role::Consumer, "group:guests".into())));
        assert_eq!(found("alice", &[60, 50]), Some((Role::Developer, "group:staff".into())));
        assert_eq!(found("alice", &[60, 10, 50]), Some((Role::Admin, "group:wheel".into())));
        assert_eq!(found("carol", &[10]), Some((Role::Auditor, "user:carol".into())));
        assert_eq!(RoleRules::default().find("carol", &[10]), None);
    }

    #[test]
    fn the_order_of_the_roles_is_that_of_the_manual() {
        assert!(Role::Consumer < Role::Developer && Role::Developer < Role::Auditor && Role::Auditor < Role::Admin);
    }
}
