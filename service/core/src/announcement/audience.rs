//! Who hears of what: the one place where that is decided.

use super::{Announcement, News};
use crate::Caller;
use crate::policy::{self, Standing};

impl Announcement {
    /// Whether somebody of this standing hears of it: its owner, of the machine's tokens administrators as well, and who may read
    /// it by a share. That it was shared, only with whom it was.
    pub fn is_for(&self, caller: &Caller, standing: Standing) -> bool {
        let is_keeper = caller.uid == self.owner || self.owner == 0 && policy::is_administrator(standing);
        standing.active && (is_keeper && !matches!(self.news, News::Shared) || self.is_shared_with(caller))
    }

    /// Whether it may be for somebody at all; what it costs to find out more is spent on nobody else.
    pub fn concerns(&self, caller: &Caller, may_administer: bool) -> bool {
        caller.uid == self.owner || self.owner == 0 && may_administer || self.is_shared_with(caller)
    }

    fn is_shared_with(&self, caller: &Caller) -> bool {
        self.grantees.iter().any(|grantee| grantee.includes(caller))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Happened;
    use super::*;
    use crate::caller::Door;
    use crate::grantee::Grantee;
    use crate::policy::Role;

    fn caller(uid: u32) -> Caller {
        Caller { uid, gids: [uid].into(), user: "somebody".into(), door: Door::Socket, pid: None }
    }

    fn hears(announcement: &Announcement, uid: u32, role: Role, active: bool) -> bool {
        let heard = announcement.is_for(&caller(uid), Standing { uid, role, active });
        assert!(announcement.concerns(&caller(uid), role == Role::Admin) || !heard, "who hears of it is asked for");
        heard
    }

    #[test]
    fn the_owner_hears_of_a_token_and_nobody_else_does() {
        let changed = Announcement::gone(5, "t", Happened::Deleted, Vec::new());
        for role in [Role::Consumer, Role::Developer, Role::Auditor, Role::Admin] {
            assert!(hears(&changed, 5, role, true), "{role:?}");
            assert!(!hears(&changed, 6, role, true), "{role:?}");
        }
        assert!(!hears(&changed, 0, Role::Admin, true), "root is nobody's keeper");
        assert!(!hears(&changed, 5, Role::Developer, false), "the disabled hear nothing");
    }

    #[test]
    fn of_the_machines_tokens_administrators_hear() {
        let changed = Announcement::gone(0, "t", Happened::Deleted, Vec::new());
        assert!(hears(&changed, 0, Role::Admin, true) && hears(&changed, 5, Role::Admin, true));
        assert!(!hears(&changed, 5, Role::Admin, false));
        for role in [Role::Consumer, Role::Developer, Role::Auditor] {
            assert!(!hears(&changed, 5, role, true), "{role:?}");
        }
    }

    #[test]
    fn that_a_token_was_shared_is_told_to_whom_it_was_and_to_no_keeper() {
        let grantees = vec![Grantee::parse("unit:app.service").unwrap()];
        let shared = Announcement { owner: 0, name: "t".into(), news: News::Shared, grantees };
        for uid in [0, 5] {
            assert!(!hears(&shared, uid, Role::Admin, true), "a unit has no connection, and {uid} is none");
        }
    }
}
