//! Numeric codes, through every way in: no guess is free, and guessing at the same time gives no more of them.

use std::thread;

use tokenvault_proto::{IssueOptions, ValidateOptions};

use crate::common::*;

fn digits() -> IssueOptions {
    IssueOptions { kind: Some("code".into()), ..defaults() }
}

fn with_id(id: &str) -> ValidateOptions {
    ValidateOptions { id: Some(id.into()), ..defaults() }
}

/// Another code of as many digits.
fn wrong(code: &str) -> String {
    code.chars().map(|digit| if digit == '9' { '0' } else { char::from(digit as u8 + 1) }).collect()
}

through_every_client! {
    fn a_code_is_valid_with_its_id_and_until_it_is_used(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        let issued = alice.issue(&digits()).unwrap();
        assert!(issued.token.len() == 6 && issued.token.bytes().all(|digit| digit.is_ascii_digit()));
        let info = alice.validate(&issued.token, &with_id(&issued.id)).unwrap().unwrap();
        assert_eq!((info.kind.as_str(), info.attempts_left, info.id.as_str()), ("code", Some(5), issued.id.as_str()));
        assert!(alice.validate(&issued.token, &defaults()).unwrap().is_none(), "without its id");
        assert!(bob.validate(&issued.token, &with_id(&issued.id)).unwrap().is_none());
        let once = ValidateOptions { consume: Some(true), ..with_id(&issued.id) };
        assert!(alice.validate(&issued.token, &once).unwrap().is_some());
        assert!(alice.validate(&issued.token, &once).unwrap().is_none());
        let long = alice.issue(&IssueOptions { length: Some(32), ..digits() }).unwrap();
        assert_eq!(long.token.len(), 32);
    }

    fn after_so_many_wrong_codes_the_right_one_is_dead(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        for attempts in [None, Some(1), Some(7)] {
            let issued = alice.issue(&IssueOptions { attempts, ..digits() }).unwrap();
            for left in (0..attempts.unwrap_or(5)).rev() {
                assert!(alice.validate(&wrong(&issued.token), &with_id(&issued.id)).unwrap().is_none());
                let listed = alice.issued(&defaults()).unwrap().0;
                assert_eq!(listed.first().and_then(|info| info.attempts_left), Some(left).filter(|left| *left > 0));
            }
            assert!(alice.validate(&issued.token, &with_id(&issued.id)).unwrap().is_none());
        }
    }

    fn impossible_codes_are_refused(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        for options in [
            IssueOptions { length: Some(3), ..digits() },
            IssueOptions { length: Some(33), ..digits() },
            IssueOptions { attempts: Some(101), ..digits() },
        ] {
            assert_eq!(code(alice.issue(&options)), ErrorCode::InvalidArgs, "{options:?}");
        }
    }
}

through_both_doors! {
    fn guesses_made_at_the_same_time_get_no_more_tries(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let clients: Vec<Client> = (0..16).map(|_| vault.client(ALICE, door)).collect();
        for _ in 0..20 {
            let issued = alice.issue(&IssueOptions { length: Some(4), attempts: Some(3), ..digits() }).unwrap();
            let (right, guess, options) = (issued.token.as_str(), wrong(&issued.token), with_id(&issued.id));
            thread::scope(|scope| {
                for client in &clients {
                    scope.spawn(|| assert!(client.validate(&guess, &options).unwrap().is_none()));
                }
            });
            assert!(alice.validate(right, &options).unwrap().is_none(), "16 guesses were more than three");
        }
    }
}
