//! Somebody who can write the store and has no key works on what was issued: nothing is moved, lengthened, brought back or
//! passed off as something else.

use rusqlite::types::Value;
use tokenvault_core::issued::IssueRequest;

use crate::fixture::*;

/// Rows 1 and 2: tokens of alice and bob; 3: a token of alice that was used up; 4: an offer of hers.
struct Written {
    home: Home,
    tokens: [String; 3],
    offer: String,
}

fn written() -> Written {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    alice.put("t", b"of alice").unwrap();
    bob.put("t", b"of bob").unwrap();
    let tokens =
        [alice.token(), bob.token(), alice.issue(IssueRequest { ttl: SECOND, ..plain() }).unwrap().token.to_string()];
    let offer = alice.offer("t").unwrap().code.to_string();
    home.clock.advance_usec(SECOND);
    Written { home, tokens, offer }
}

#[test]
fn an_untouched_store_validates_and_gives() {
    let Written { mut home, tokens, offer } = written();
    home.tamper(|_| {});
    assert!(home.alice().is_valid(&tokens[0]) && home.bob().is_valid(&tokens[1]) && !home.alice().is_valid(&tokens[2]));
    assert_eq!(home.bob().redeem(&offer).unwrap(), b"of alice");
}

#[test]
fn no_changed_column_makes_anything_valid() {
    for change in [
        "UPDATE issued SET principal = 2 WHERE id = 1",
        "UPDATE issued SET kind = 1 WHERE id = 1",
        "UPDATE issued SET hash = (SELECT hash FROM issued WHERE id = 2) WHERE id = 1",
        "UPDATE issued SET meta = (SELECT meta FROM issued WHERE id = 3) WHERE id = 1",
        "UPDATE issued SET meta = (SELECT meta FROM issued WHERE id = 1) WHERE id = 3",
        "UPDATE issued SET expires_day = expires_day + 1000",
        "UPDATE issued SET expires_day = 0",
        "UPDATE issued SET token = 1 WHERE id = 1",
        "DELETE FROM issued WHERE id = 1",
    ] {
        let Written { mut home, tokens, .. } = written();
        home.tamper(|file| file.change(change, []));
        for token in [&tokens[0], &tokens[2]] {
            let answer = home.alice().validate_for(token, &Asked::default());
            let untouched = change.ends_with("WHERE id = 3") && token == &tokens[0];
            let valid = answer.as_ref().is_ok_and(Option::is_some);
            assert_eq!(valid, untouched, "{change}");
        }
    }
}

#[test]
fn a_damaged_row_is_no_concern_of_who_asks_for_another() {
    let Written { mut home, tokens, .. } = written();
    let never = home.alice().issue(plain()).unwrap();
    home.alice().revoke(&never.id.to_string()).unwrap();
    home.tamper(|file| file.change("UPDATE issued SET meta = x'01'", []));
    assert!(!home.alice().is_valid(&never.token));
    assert_eq!(refused(home.alice().validate_for(&tokens[0], &Asked::default())), Refused::Quarantined);
}

#[test]
fn an_offer_gives_no_other_token_than_its_own() {
    let Written { mut home, offer, .. } = written();
    home.tamper(|file| file.change("UPDATE issued SET token = 2 WHERE id = 4", []));
    assert_eq!(refused(home.bob().redeem(&offer)), Refused::Quarantined);
    let Written { mut home, tokens, .. } = written();
    home.tamper(|file| file.change("UPDATE issued SET kind = 2, token = 1 WHERE id = 1", []));
    assert!(home.alice().validate_for(&tokens[0], &Asked::default()).is_err());
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    for column in ["tag", "hash", "meta"] {
        for at in [0, 10, 20, 31] {
            let Written { mut home, tokens, .. } = written();
            home.tamper(|file| {
                let Value::Blob(mut cell) = file.value(&format!("SELECT {column} FROM issued WHERE id = 1"), []) else {
                    panic!("no blob")
                };
                cell[at] ^= 1;
                file.change(&format!("UPDATE issued SET {column} = ?1 WHERE id = 1"), [Value::Blob(cell)]);
            });
            let answer = home.alice().validate_for(&tokens[0], &Asked::default());
            assert!(!answer.is_ok_and(|info| info.is_some()), "{column} {at}");
        }
    }
}
