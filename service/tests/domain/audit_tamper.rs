//! Somebody who can write the store and has no key works on the audit log: the first bad record is named.

use tokenvault_core::audit::ChainFault;
use tokenvault_core::vault::State;

use crate::fixture::*;

const RECORDS: u64 = 11;

/// A log of ten changes and what the vault did itself.
fn written() -> Home {
    let home = Home::new();
    for number in 0..10 {
        home.alice().put(&format!("t{number}"), b"1").unwrap();
    }
    assert_eq!(verified(&home), Ok(RECORDS));
    home
}

fn after(edit: &str) -> Result<u64, ChainFault> {
    let mut home = written();
    home.tamper(|file| file.run(edit));
    verified(&home)
}

/// Why the vault does not open.
fn refusal_after(edit: &str) -> String {
    let mut home = written();
    home.tamper(|file| file.run(edit));
    assert_eq!(home.vault().state(), State::Quarantined, "{edit}");
    home.unseal().unwrap_err().to_string()
}

const fn bad(seq: u64) -> Result<u64, ChainFault> {
    Err(ChainFault::Record(seq))
}

/// The number of the record at which a fault begins, as the vault tells it: when it verifies its log, or does not open.
fn named(home: &Home) -> Option<u64> {
    if home.vault().state() != State::Quarantined {
        return match verified(home) {
            Err(ChainFault::Record(seq)) => Some(seq),
            _ => None,
        };
    }
    let told = home.unseal().unwrap_err().to_string();
    let (how, rest) = told.split_once(" number ").unwrap_or_else(|| panic!("{told}"));
    let number: u64 = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    Some(if how.ends_with("after") { number + 1 } else { number })
}

#[test]
fn whatever_is_done_to_any_record_is_found_and_the_first_one_is_named() {
    let mut home = written();
    home.stop();
    let (mut edits, mut found, mut first) = (0, 0, 0);
    let swapped = |seq: u64| {
        format!(
            "CREATE TEMP TABLE kept AS SELECT * FROM audit WHERE seq IN ({seq}, {seq} + 1);
             UPDATE audit SET record = (SELECT record FROM kept WHERE kept.seq = 2 * {seq} + 1 - audit.seq),
                              chain = (SELECT chain FROM kept WHERE kept.seq = 2 * {seq} + 1 - audit.seq)
             WHERE seq IN ({seq}, {seq} + 1)"
        )
    };
    for seq in 1..=RECORDS {
        // The last byte is another one, whatever it was.
        let other = "CASE substr(record, -1) WHEN x'5a' THEN x'5b' ELSE x'5a' END";
        let tail = format!("CAST(substr(record, 1, length(record) - 1) || {other} AS BLOB)");
        let mut tried = vec![
            format!("UPDATE audit SET record = {tail} WHERE seq = {seq}"),
            format!("UPDATE audit SET chain = randomblob(32) WHERE seq = {seq}"),
            format!("DELETE FROM audit WHERE seq = {seq}"),
            format!("DELETE FROM audit WHERE seq >= {seq}"),
        ];
        tried.extend((seq < RECORDS).then(|| swapped(seq)));
        for edit in tried {
            let mut copy = Home::from_copy(home.copy());
            copy.tamper(|file| file.run(&edit));
            let named = named(&copy);
            assert_eq!(named, Some(seq), "{edit}");
            edits += 1;
            found += usize::from(named.is_some());
            first += usize::from(named == Some(seq));
        }
    }
    proof("S10", &format!("{found} of {edits} changes of {RECORDS} records found, {first} named by the first of them"));
}

#[test]
fn an_untouched_log_verifies_after_a_restart() {
    assert_eq!(after(""), Ok(12));
}

#[test]
fn a_changed_record_is_named() {
    let flipped = "UPDATE audit SET record = CAST(x'00' || substr(record, 2) AS BLOB) WHERE seq = 5";
    assert_eq!(after(flipped), bad(5));
    assert_eq!(after("UPDATE audit SET record = zeroblob(length(record)) WHERE seq = 1"), bad(1));
    assert_eq!(after("UPDATE audit SET record = x'' WHERE seq = 11"), bad(11));
}

#[test]
fn a_changed_chain_value_is_named() {
    assert_eq!(after("UPDATE audit SET chain = zeroblob(32) WHERE seq = 5"), bad(5));
    assert_eq!(after("UPDATE audit SET chain = (SELECT chain FROM audit WHERE seq = 4) WHERE seq = 5"), bad(5));
}

#[test]
fn a_dropped_record_is_named_also_when_the_rest_moves_up() {
    assert_eq!(after("DELETE FROM audit WHERE seq = 5"), bad(5));
    assert_eq!(after("DELETE FROM audit WHERE seq BETWEEN 3 AND 7"), bad(3));
    let moved_up = "DELETE FROM audit WHERE seq = 5; UPDATE audit SET seq = seq - 1 WHERE seq > 5";
    assert!(refusal_after(moved_up).contains("cut off after number 10"));
}

#[test]
fn records_that_changed_places_are_named_by_the_first() {
    let swap = "CREATE TEMP TABLE kept AS SELECT * FROM audit WHERE seq IN (4, 8);
                UPDATE audit SET record = (SELECT record FROM kept WHERE kept.seq = 12 - audit.seq),
                                 chain = (SELECT chain FROM kept WHERE kept.seq = 12 - audit.seq) WHERE seq IN (4, 8)";
    assert_eq!(after(swap), bad(4));
    let records_only = "CREATE TEMP TABLE kept AS SELECT * FROM audit WHERE seq IN (4, 5);
                        UPDATE audit SET record = (SELECT record FROM kept WHERE kept.seq = 9 - audit.seq)
                        WHERE seq IN (4, 5)";
    assert_eq!(after(records_only), bad(4));
}

#[test]
fn an_added_record_is_noticed() {
    let copied = "UPDATE audit SET seq = -seq WHERE seq > 5; UPDATE audit SET seq = 1 - seq WHERE seq < 0;
                  INSERT INTO audit SELECT 6, record, chain FROM audit WHERE seq = 5";
    assert!(refusal_after(copied).contains("added after number 11"));
    let at_the_end = "INSERT INTO audit SELECT 12, record, chain FROM audit WHERE seq = 11";
    assert!(refusal_after(at_the_end).contains("added after number 11"));
    assert!(refusal_after(&format!("DELETE FROM audit WHERE seq = 11; {copied}")).contains("changed at number 11"));
}

#[test]
fn the_oldest_records_cannot_be_dropped_by_naming_another_beginning() {
    assert_eq!(after("DELETE FROM audit WHERE seq <= 5"), bad(1));
    let chain =
        "INSERT INTO meta SELECT 'audit-base', chain FROM audit WHERE seq = 5; DELETE FROM audit WHERE seq <= 5";
    assert_eq!(after(chain), bad(6));
    let made_up =
        "INSERT INTO meta SELECT 'audit-base', CAST(x'0000000000000005' || chain || zeroblob(32) AS BLOB) FROM audit
                   WHERE seq = 5; DELETE FROM audit WHERE seq <= 5";
    assert_eq!(after(made_up), bad(6));
}

#[test]
fn after_pruning_the_beginning_is_still_held() {
    let mut home = Home::new();
    home.set(|settings| settings.audit_records = 500);
    home.alice().put("t", b"1").unwrap();
    for number in 0..1_200 {
        home.alice().get_for("t", &format!("purpose {number}")).unwrap();
    }
    verified(&home).unwrap();
    home.stop();
    for (edit, fault) in [
        ("DELETE FROM audit WHERE seq = 501", 501),
        ("UPDATE meta SET value = CAST(x'00000000000001F5' || substr(value, 9) AS BLOB) WHERE key = 'audit-base'", 501),
        ("DELETE FROM meta WHERE key = 'audit-base'", 1),
        ("UPDATE meta SET value = x'' WHERE key = 'audit-base'", 501),
    ] {
        let mut copy = Home::from_copy(home.copy());
        copy.tamper(|file| file.run(edit));
        assert_eq!(verified(&copy), bad(fault), "{edit}");
    }
}
