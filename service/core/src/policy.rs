//! Who may do what. Answers with a value and does nothing.

use minicbor::{Decode, Encode};

use crate::error::Error;
use crate::grantee::Grantee;

/// What a user may do at all, the highest last. Root is admin whatever its record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// Reads what is theirs or shared.
    #[n(0)]
    Consumer,
    /// Also stores.
    #[n(1)]
    Developer,
    /// A consumer who reads the audit log.
    #[n(2)]
    Auditor,
    /// Also administers.
    #[n(3)]
    Admin,
}

impl Role {
    /// As the interface writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Developer => "developer",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// From the interface's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Consumer, Self::Developer, Self::Auditor, Self::Admin].into_iter().find(|role| role.as_str() == word)
    }
}

/// What a caller wants to do with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See or fetch.
    Read,
    /// Put, change, delete.
    Write,
    /// Share, end shares, see them.
    Share,
    /// See who fetched.
    History,
}

/// The answer of [`judge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allow,
    /// Say that there is no such token: the caller must not learn whether there is.
    Hide,
    /// Say that it is not permitted, and why.
    Deny(&'static str),
}

impl Decision {
    /// Nothing when it is allowed.
    ///
    /// # Errors
    /// What the caller is told when it is not.
    pub fn into_result(self) -> Result<(), Error> {
        match self {
            Self::Allow => Ok(()),
            Self::Hide => Err(Error::NotFound),
            Self::Deny(reason) => Err(Error::AccessDenied(reason.into())),
        }
    }
}

/// What is known of the caller when it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The caller's uid.
    pub uid: u32,
    /// The caller's role.
    pub role: Role,
    /// False when an administrator disabled the user.
    pub active: bool,
}

/// What a user is told whom an administrator has disabled.
pub const DISABLED: &str =
    "this user is disabled in the vault; an administrator can enable it with 'tokenvaultctl user enable USER'";

/// Judges one action of a caller on the tokens of `owner` (its uid; `None`: of nobody).
pub fn judge(caller: Standing, owner: Option<u32>, action: Action) -> Decision {
    if !caller.active {
        return Decision::Deny(DISABLED);
    }
    let own = owner == Some(caller.uid);
    let machine_write = owner == Some(0) && caller.role == Role::Admin;
    if action == Action::Share && !own && owner == Some(0) && !machine_write {
        return Decision::Deny("machine tokens are shared by root and administrators only");
    }
    match action {
        Action::Read | Action::History if own => Decision::Allow,
        Action::History if machine_write => Decision::Allow,
        Action::History if owner == Some(0) => {
            Decision::Deny("who fetched machine tokens is shown to root and administrators only")
        }
        Action::Read | Action::History => Decision::Hide,
        Action::Write | Action::Share if !own && !machine_write => match owner {
            Some(0) => Decision::Deny("machine tokens are written by root and administrators only"),
            _ => Decision::Hide,
        },
        Action::Write | Action::Share => match caller.role {
            Role::Developer | Role::Admin => Decision::Allow,
            Role::Consumer | Role::Auditor => Decision::Deny(
                "your role may read tokens, not store or share them; an administrator can give you another with 'tokenvaultctl user set'",
            ),
        },
    }
}

/// Whether somebody may know what others do, how much of it at least.
pub fn is_administrator(caller: Standing) -> bool {
    caller.active && caller.role == Role::Admin
}

/// Whether somebody reads the audit log without administering the vault.
pub fn is_auditor(caller: Standing) -> bool {
    caller.active && caller.role == Role::Auditor
}

/// Judges with whom the tokens of `owner` may be shared by `uid`, who may share them with somebody.
pub fn judge_grantee(uid: u32, owner: u32, grantee: &Grantee) -> Decision {
    match grantee {
        Grantee::Unit(_) if owner == 0 => Decision::Allow,
        Grantee::User(_) | Grantee::Group(_) => judge_giving(uid, owner),
        Grantee::Unit(_) => Decision::Deny(
            "only machine tokens are shared with units; store it as one ('--owner machine'), which root and administrators can",
        ),
    }
}

/// Judges whether `uid`, who may share tokens of `owner`, may have a user given their values. An administrator by role, who reads no
/// machine token, could give them to himself.
pub fn judge_giving(uid: u32, owner: u32) -> Decision {
    if owner == 0 && uid != 0 {
        return Decision::Deny(
            "machine tokens are shared with users and groups, and offered, by root only; administrators share them with units",
        );
    }
    Decision::Allow
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(uid: u32, role: Role) -> Standing {
        Standing { uid, role, active: true }
    }

    #[test]
    fn everyone_reads_their_own_and_nobody_elses() {
        for role in [Role::Consumer, Role::Developer, Role::Auditor, Role::Admin] {
            assert_eq!(judge(standing(5, role), Some(5), Action::Read), Decision::Allow);
            assert_eq!(judge(standing(5, role), Some(6), Action::Read), Decision::Hide);
            assert_eq!(judge(standing(5, role), None, Action::Read), Decision::Hide);
        }
    }

    #[test]
    fn root_reads_nobody_elses_value() {
        assert_eq!(judge(standing(0, Role::Admin), Some(5), Action::Read), Decision::Hide);
        assert_eq!(judge(standing(0, Role::Admin), Some(5), Action::Write), Decision::Hide);
    }

    #[test]
    fn only_developers_and_admins_store() {
        for (role, allowed) in
            [(Role::Consumer, false), (Role::Developer, true), (Role::Auditor, false), (Role::Admin, true)]
        {
            let decision = judge(standing(5, role), Some(5), Action::Write);
            assert_eq!(decision == Decision::Allow, allowed, "{role:?}");
        }
    }

    #[test]
    fn machine_tokens_are_written_by_admins() {
        assert_eq!(judge(standing(5, Role::Admin), Some(0), Action::Write), Decision::Allow);
        assert!(matches!(judge(standing(5, Role::Developer), Some(0), Action::Write), Decision::Deny(_)));
        assert_eq!(judge(standing(0, Role::Admin), Some(0), Action::Write), Decision::Allow);
    }

    #[test]
    fn tokens_are_shared_by_those_who_write_them() {
        assert_eq!(judge(standing(5, Role::Developer), Some(5), Action::Share), Decision::Allow);
        assert!(matches!(judge(standing(5, Role::Consumer), Some(5), Action::Share), Decision::Deny(_)));
        assert_eq!(judge(standing(5, Role::Admin), Some(6), Action::Share), Decision::Hide);
        assert_eq!(judge(standing(5, Role::Admin), Some(0), Action::Share), Decision::Allow);
        for role in [Role::Consumer, Role::Developer, Role::Auditor] {
            assert!(matches!(judge(standing(5, role), Some(0), Action::Share), Decision::Deny(_)), "{role:?}");
        }
    }

    #[test]
    fn units_are_given_machine_tokens_only() {
        let unit = Grantee::Unit(crate::unit::UnitName::parse("app.service").unwrap());
        for uid in [0, 5] {
            assert_eq!(judge_grantee(uid, 0, &unit), Decision::Allow);
            assert!(matches!(judge_grantee(uid, 1000, &unit), Decision::Deny(_)));
        }
    }

    #[test]
    fn users_are_given_machine_tokens_by_root_only() {
        assert_eq!(judge_giving(0, 0), Decision::Allow);
        assert!(matches!(judge_giving(5, 0), Decision::Deny(_)));
        assert_eq!(judge_giving(5, 5), Decision::Allow);
    }

    #[test]
    fn the_log_is_read_by_active_auditors_and_by_no_other_role() {
        assert!(is_auditor(standing(5, Role::Auditor)));
        assert!(!is_auditor(Standing { active: false, ..standing(5, Role::Auditor) }));
        for role in [Role::Consumer, Role::Developer, Role::Admin] {
            assert!(!is_auditor(standing(5, role)), "{role:?}");
        }
    }

    #[test]
    fn the_disabled_do_nothing() {
        let disabled = Standing { active: false, ..standing(5, Role::Admin) };
        assert!(matches!(judge(disabled, Some(5), Action::Read), Decision::Deny(_)));
        assert!(matches!(judge(disabled, Some(0), Action::Write), Decision::Deny(_)));
    }
}
