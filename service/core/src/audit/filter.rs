//! Which records somebody wants to see.

use super::{AuditRecord, Outcome};
use crate::Timestamp;
use crate::owner::Owner;

/// All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Whose token was meant. Of a folded run of refusals only the first says it.
    pub owner: Option<Owner>,
    /// The token's name, or the one it was given.
    pub name: Option<String>,
    /// Who asked.
    pub uid: Option<u32>,
    /// Method name, in capitals or not.
    pub operation: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl AuditFilter {
    /// Whether a record is wanted.
    pub fn takes(&self, record: &AuditRecord) -> bool {
        let named = |name: &String| record.name == *name || record.renamed_to.as_ref() == Some(name);
        self.owner.is_none_or(|owner| is_of(record, owner))
            && self.name.as_ref().is_none_or(named)
            && self.uid.is_none_or(|uid| record.uid == uid)
            && self.operation.as_ref().is_none_or(|operation| record.operation.eq_ignore_ascii_case(operation))
            && self.outcome.is_none_or(|outcome| record.outcome == outcome)
            && self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
    }
}

fn is_of(record: &AuditRecord, owner: Owner) -> bool {
    match owner {
        Owner::Machine => record.owner == Some(0),
        Owner::Uid(uid) | Owner::User(uid, _) => record.owner == Some(uid),
        Owner::Own => record.owner == Some(record.uid),
        Owner::Nobody => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::daemon;

    fn record() -> AuditRecord {
        AuditRecord {
            uid: 7,
            owner: Some(0),
            name: "old".into(),
            renamed_to: Some("new".into()),
            ..AuditRecord::new(&daemon(), "Rename", Timestamp::from_usec(50))
        }
    }

    #[test]
    fn each_part_of_a_filter_can_refuse() {
        let filter = AuditFilter {
            owner: Some(Owner::Machine),
            name: Some("old".into()),
            uid: Some(7),
            operation: Some("rename".into()),
            outcome: Some(Outcome::Ok),
            since: Some(Timestamp::from_usec(50)),
            until: Some(Timestamp::from_usec(51)),
        };
        assert!(filter.takes(&record()) && AuditFilter::default().takes(&record()));
        for other in [
            AuditFilter { owner: Some(Owner::Uid(7)), ..filter.clone() },
            AuditFilter { owner: Some(Owner::Nobody), ..filter.clone() },
            AuditFilter { name: Some("ol".into()), ..filter.clone() },
            AuditFilter { uid: Some(0), ..filter.clone() },
            AuditFilter { operation: Some("renam".into()), ..filter.clone() },
            AuditFilter { outcome: Some(Outcome::Denied), ..filter.clone() },
            AuditFilter { since: Some(Timestamp::from_usec(51)), ..filter.clone() },
            AuditFilter { until: Some(Timestamp::from_usec(50)), ..filter.clone() },
        ] {
            assert!(!other.takes(&record()), "{other:?}");
        }
    }

    #[test]
    fn a_token_is_found_by_the_name_it_was_given() {
        assert!(AuditFilter { name: Some("new".into()), ..AuditFilter::default() }.takes(&record()));
    }
}
