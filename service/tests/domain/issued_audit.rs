//! What the audit log has of issued tokens and offers.

use tokenvault_core::audit::{AuditRecord, Outcome};
use tokenvault_core::issued::IssuedFilter;

use crate::fixture::*;

fn of<'a>(records: &'a [AuditRecord], operation: &str) -> Vec<&'a AuditRecord> {
    records.iter().filter(|record| record.operation == operation).collect()
}

#[test]
fn issuing_using_and_revoking_are_in_the_log_by_the_id() {
    let home = Home::new();
    let alice = home.alice();
    let issued = alice.issue(plain()).unwrap();
    let id = issued.id.to_string();
    assert!(alice.is_valid(&issued.token) && alice.is_valid(&issued.token));
    assert!(alice.consume(&issued.token) && !alice.consume(&issued.token));
    let other = alice.issue(plain()).unwrap();
    alice.revoke(&other.id.to_string()).unwrap();
    for _ in 0..3 {
        alice.issue(plain()).unwrap();
    }
    assert_eq!(alice.revoke_all(&IssuedFilter::default()).unwrap(), 3);
    let records = records(&home);
    for operation in ["Issue", "Validate"] {
        assert!(of(&records, operation).iter().any(|record| record.name == id && record.owner == Some(ALICE)));
    }
    let validated: u64 = of(&records, "Validate").iter().filter(|r| r.outcome == Outcome::Ok).map(|r| r.count).sum();
    assert_eq!(validated, 3, "twice looked at, once used");
    assert_eq!(of(&records, "Validate").iter().filter(|record| record.outcome == Outcome::NotFound).count(), 1);
    assert_eq!(of(&records, "Revoke")[0].name, other.id.to_string());
    assert_eq!(of(&records, "RevokeAll").iter().map(|record| record.count).sum::<u64>(), 3);
    assert!(records.iter().all(|record| !format!("{record:?}").contains(&issued.token[27..])), "no secret");
    verified(&home).unwrap();
}

#[test]
fn a_wrong_code_is_in_the_log_with_whose_it_was() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"v").unwrap();
    let digits = alice.issue(code()).unwrap();
    assert!(!alice.is_code("12345678", &digits.id.to_string()));
    let code = alice.offer("t").unwrap().code;
    let wrong = format!("{}ZZZZ", &code[..15]);
    assert!(home.bob().redeem(&wrong).is_err());
    home.bob().redeem(&code).unwrap();
    assert!(home.bob().redeem("nonsense").is_err());
    let records = records(&home);
    let of_digits = of(&records, "Validate");
    assert_eq!((of_digits[0].outcome, of_digits[0].owner), (Outcome::NotFound, Some(ALICE)));
    let redeemed = of(&records, "Redeem");
    let outcomes: Vec<_> = redeemed.iter().map(|record| (record.uid, record.outcome, record.owner)).collect();
    assert!(outcomes.contains(&(BOB, Outcome::NotFound, Some(ALICE))), "{outcomes:?}");
    assert!(outcomes.contains(&(BOB, Outcome::NotFound, None)), "{outcomes:?}");
    let given = redeemed.iter().find(|record| record.outcome == Outcome::Ok).unwrap();
    assert_eq!((given.uid, given.owner, given.name.as_str(), given.version), (BOB, Some(ALICE), "t", 1));
    assert_eq!(of(&records, "Offer")[0].name, "t");
    assert!(records.iter().all(|record| !format!("{record:?}").contains(&code[10..])), "no secret");
    verified(&home).unwrap();
}

#[test]
fn where_the_log_is_durable_a_validation_waits_for_its_record() {
    let home = Home::new();
    home.set(|settings| settings.audit_durable = true);
    let alice = home.alice();
    let token = alice.token();
    let before = home.read(|tx| tx.audit_head()).unwrap().seq;
    assert!(alice.is_valid(&token));
    assert_eq!(home.read(|tx| tx.audit_head()).unwrap().seq, before + 1);
    assert!(!alice.is_valid_hot(&token));
}
