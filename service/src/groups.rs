//! The groups that the configuration names: looked up when it is read, and again and again after that, since groups come and go
//! and numbers change hands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokenvault_core::role_rules::{RoleRule, RoleRules, RoleSubject};
use tokenvault_core::vault::Enrolment;
use tokio::time::{Instant, timeout_at};

use crate::caller::{UserError, Users};
use crate::config::{Config, Enrol, Named};
use crate::service::Service;

/// How often they are looked up.
const LOOK: Duration = Duration::from_secs(30);
/// How often meanwhile it is looked whether this machine's own have changed.
const LOOKS: u32 = 6;

/// How long all of them may take together, and how long each may in any case: those of this machine do not wait for others.
const ALL: Duration = Duration::from_secs(2);
const EACH: Duration = Duration::from_millis(200);

/// What the configuration says of groups, with their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    /// The number of each that is known.
    gids: BTreeMap<String, u32>,
    /// Those that do not exist.
    unknown: BTreeSet<String>,
    /// Those of whom nobody could say now whether they exist.
    away: BTreeSet<String>,
}

impl Groups {
    /// Looks up what `config` names. What was known before stays so while the user database does not answer.
    pub async fn look_up(users: &Users, config: &Config, before: &Self) -> Self {
        let mut groups = Self::default();
        let deadline = Instant::now() + ALL;
        for name in named_in(config) {
            let until = deadline.max(Instant::now() + EACH);
            let late = |_| Err(UserError::Unavailable("the user database does not answer".into()));
            let found = timeout_at(until, users.gid(&name)).await.unwrap_or_else(late);
            groups.note(name, found, before);
        }
        groups
    }

    fn note(&mut self, name: String, found: Result<u32, UserError>, before: &Self) {
        match found {
            Ok(gid) => {
                self.gids.insert(name, gid);
            }
            Err(UserError::Unknown) => {
                self.unknown.insert(name);
            }
            Err(UserError::Unavailable(_)) => {
                if let Some(gid) = before.gids.get(&name) {
                    self.gids.insert(name.clone(), *gid);
                }
                self.away.insert(name);
            }
        }
    }

    /// Who is taken in. A group that is not known takes nobody in.
    pub fn enrolment(&self, config: &Config) -> Enrolment {
        match config.enrol {
            Enrol::Auto => Enrolment::Auto,
            Enrol::Admin => Enrolment::Admin,
            Enrol::Group => self.gids.get(&config.enrol_group).map_or(Enrolment::Admin, |gid| Enrolment::Group(*gid)),
        }
    }

    /// Who has which role. A group that is not known gives nobody one.
    pub fn roles(&self, config: &Config) -> RoleRules {
        let subject = |named: &Named| match named {
            Named::User(name) => Some(RoleSubject::User(name.clone())),
            Named::Group(name) => self.gids.get(name).map(|gid| RoleSubject::Group { name: name.clone(), gid: *gid }),
        };
        let rules = config.roles.iter().filter_map(|(role, named)| Some(RoleRule { role, subject: subject(named)? }));
        RoleRules::new(rules.collect())
    }

    /// `ok`, or which groups of the configuration are not known.
    pub fn health(&self) -> String {
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        match (self.unknown.is_empty(), self.away.is_empty()) {
            (true, true) => "ok".into(),
            (false, _) => format!("the configuration names groups that do not exist: {}", list(&self.unknown)),
            (true, false) => format!("the user database does not say whether these groups exist: {}", list(&self.away)),
        }
    }
}

/// The groups that count by the present settings.
fn named_in(config: &Config) -> BTreeSet<String> {
    let of_roles = config.roles.iter().filter_map(|(_, named)| match named {
        Named::Group(name) => Some(name.clone()),
        Named::User(_) => None,
    });
    of_roles.chain((config.enrol == Enrol::Group).then(|| config.enrol_group.clone())).collect()
}

/// Until they are to be looked up again: after a while, and soon after this machine's own were changed.
async fn wait(users: &Users) {
    let before = users.groups_changed();
    for _ in 0..LOOKS {
        tokio::time::sleep(LOOK / LOOKS).await;
        if users.groups_changed() != before {
            return;
        }
    }
}

/// Keeps the numbers of the groups right as long as the daemon runs.
pub async fn keep(service: Arc<Service>) {
    let mut told = service.groups().health();
    loop {
        wait(&service.users).await;
        let config = service.config();
        let before = service.groups();
        let now = Groups::look_up(&service.users, &config, &before).await;
        let health = now.health();
        if health != told {
            match health.as_str() {
                "ok" => log::info!("all groups of the configuration are known"),
                trouble => log::warn!("{trouble}"),
            }
            told = health;
        }
        if now != *before {
            service.set_groups(&config, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before() -> Groups {
        Groups { gids: BTreeMap::from([("staff".into(), 7)]), ..Groups::default() }
    }

    fn noted(name: &str, found: Result<u32, UserError>) -> Groups {
        let mut groups = Groups::default();
        groups.note(name.into(), found, &before());
        groups
    }

    #[test]
    fn a_directory_that_is_down_takes_the_group_from_nobody() {
        let down = || Err(UserError::Unavailable("no answer".into()));
        for (name, found, gid, health) in [
            ("staff", Ok(8), Some(8), "ok"),
            ("staff", down(), Some(7), "does not say"),
            ("staff", Err(UserError::Unknown), None, "do not exist: staff"),
            ("other", down(), None, "does not say"),
        ] {
            let groups = noted(name, found);
            assert_eq!(groups.gids.get(name).copied(), gid, "{name}");
            assert!(groups.health().contains(health), "{}", groups.health());
        }
    }
}
