//! Who hears of what: the one place where that is decided.

use super::{Announcement, News};
use crate::Caller;
use crate::issued::{GroupNow, Membership};
use crate::policy::{self, Standing};

impl Announcement {
    /// Whether somebody of this standing hears of it: its owner, of the machine's tokens administrators as well, and who may read
    /// it by a share. That it was shared, only with whom it was.
    /// `groups` are those of [`Self::groups`], as they are now.
    pub fn is_for(&self, caller: &Caller, standing: Standing, groups: &[GroupNow]) -> bool {
        let is_keeper = caller.uid == self.owner || self.owner == 0 && policy::is_administrator(standing);
        standing.active
            && (is_keeper && !matches!(self.news, News::Shared)
                || self.grantees.iter().any(|grantee| grantee.includes(caller, groups)))
    }

    /// Whether it may be for somebody at all; what it costs to find out more is spent on nobody else.
    pub fn concerns(&self, caller: &Caller, may_administer: bool) -> bool {
        caller.uid == self.owner
            || self.owner == 0 && may_administer
            || self.grantees.iter().any(|grantee| grantee.membership(caller) != Membership::No)
    }

    /// The groups by whose names it hangs whether it is for somebody.
    pub fn groups(&self, caller: &Caller) -> Vec<String> {
        let named = self.grantees.iter().filter_map(|grantee| match grantee.membership(caller) {
            Membership::IfGroup(group) => Some(group.name.clone()),
            Membership::Yes | Membership::No => None,
        });
        named.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Happened;
    use super::*;
    use crate::caller::Door;
    use crate::grantee::Grantee;
    use crate::issued::Named;
    use crate::policy::Role;
    use crate::unit::UnitName;

    fn caller(uid: u32) -> Caller {
        Caller { uid, gids: [uid].into(), user: "somebody".into(), door: Door::Socket, pid: None }
    }

    fn hears(announcement: &Announcement, uid: u32, role: Role, active: bool) -> bool {
        let heard = announcement.is_for(&caller(uid), Standing { uid, role, active }, &[]);
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
        let grantees = vec![Grantee::Unit(UnitName::parse("app.service").unwrap())];
        let shared = Announcement { owner: 0, name: "t".into(), news: News::Shared, grantees };
        for uid in [0, 5] {
            assert!(!hears(&shared, uid, Role::Admin, true), "a unit has no connection, and {uid} is none");
        }
    }

    #[test]
    fn whom_a_token_is_shared_with_hears_of_it() {
        let somebody = |number| Named { name: "somebody".into(), number };
        let shared = |grantee| Announcement { owner: 5, name: "t".into(), news: News::Shared, grantees: vec![grantee] };
        let user = shared(Grantee::User(somebody(6)));
        assert!(hears(&user, 6, Role::Consumer, true));
        assert!(!hears(&user, 6, Role::Consumer, false) && !hears(&user, 5, Role::Admin, true));
        let renamed = shared(Grantee::User(Named { name: "another".into(), number: 6 }));
        assert!(!hears(&renamed, 6, Role::Consumer, true));

        let group = shared(Grantee::Group(somebody(6)));
        let standing = Standing { uid: 6, role: Role::Consumer, active: true };
        assert_eq!((group.groups(&caller(6)), group.groups(&caller(7))), (vec!["somebody".to_owned()], Vec::new()));
        for (gid, hears) in [(Some(6), true), (Some(7), false), (None, false)] {
            let now = GroupNow { name: "somebody".into(), gid };
            assert_eq!(group.is_for(&caller(6), standing, &[now]), hears, "{gid:?}");
        }
        assert!(!group.is_for(&caller(6), standing, &[]), "nobody has looked it up");
    }
}
