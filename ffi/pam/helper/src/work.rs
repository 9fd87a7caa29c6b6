//! What each verb does, over a vault that a test can play.

use std::os::fd::OwnedFd;

use tokenvault_client::{ErrorCode, LoginState};
use tokenvault_kdf::Key;

use crate::input::Secrets;
use crate::vault::Vault;
use crate::verb::Verb;

/// Does it. The lease comes first: a key that is opened before the session is known could be dropped at once, and one that
/// is opened for a session nobody can see the end of would stay for good.
///
/// # Errors
/// A row of the contract's table.
pub fn perform(verb: Verb, vault: &impl Vault, secrets: &Secrets, lease: Option<OwnedFd>) -> Result<(), ErrorCode> {
    if let Some(lease) = lease {
        vault.lease(lease)?;
    }
    match verb {
        Verb::Lease => Ok(()),
        Verb::Open => {
            let state = enrolled(vault)?;
            vault.unlock(&key(vault, secrets, 0, &state)?)
        }
        Verb::SetKey => {
            let state = enrolled(vault)?;
            let (old, new) = (key(vault, secrets, 0, &state)?, key(vault, secrets, 1, &state)?);
            vault.set_key(&old, &new)
        }
    }
}

/// How keys are derived for a user who has a login class. The key is offered also where it is unlocked already: the old one
/// goes at the first login with a new password.
fn enrolled(vault: &impl Vault) -> Result<LoginState, ErrorCode> {
    let state = vault.state()?;
    if state.enrolled { Ok(state) } else { Err(ErrorCode::NotFound) }
}

fn key(vault: &impl Vault, secrets: &Secrets, index: usize, state: &LoginState) -> Result<Key, ErrorCode> {
    vault.derive(secrets.get(index).ok_or(ErrorCode::InvalidArgs)?, &state.salt, &state.params)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::input;

    /// A vault that notes what it is asked and answers as the test says.
    #[derive(Default)]
    struct Script {
        enrolled: bool,
        /// The call that fails, and how.
        failing: Option<(&'static str, ErrorCode)>,
        calls: RefCell<Vec<String>>,
    }

    impl Script {
        fn note(&self, call: &str, what: &str) -> Result<(), ErrorCode> {
            self.calls.borrow_mut().push(format!("{call}{what}"));
            match self.failing {
                Some((name, code)) if name == call => Err(code),
                _ => Ok(()),
            }
        }
    }

    impl Vault for Script {
        fn state(&self) -> Result<LoginState, ErrorCode> {
            self.note("state", "")?;
            Ok(LoginState {
                enrolled: self.enrolled,
                salt: b"salt".to_vec(),
                params: "params".into(),
                ..Default::default()
            })
        }

        fn lease(&self, _alive: OwnedFd) -> Result<(), ErrorCode> {
            self.note("lease", "")
        }

        fn unlock(&self, key: &Key) -> Result<(), ErrorCode> {
            self.note("unlock", &format!(" {}", key[0]))
        }

        fn set_key(&self, old: &Key, new: &Key) -> Result<(), ErrorCode> {
            self.note("set-key", &format!(" {} {}", old[0], new[0]))
        }

        /// The key of a password is its length.
        fn derive(&self, password: &[u8], salt: &[u8], params: &str) -> Result<Key, ErrorCode> {
            assert_eq!((salt, params), (&b"salt"[..], "params"));
            Ok(Key::new([password.len() as u8; 32]))
        }
    }

    fn run(vault: &Script, verb: Verb) -> Result<(), ErrorCode> {
        let secrets = input::read(&mut &b"horse\0stable\0"[..], verb.secrets()).unwrap();
        let lease = verb.has_lease().then(|| std::io::pipe().unwrap().0.into());
        perform(verb, vault, &secrets, lease)
    }

    #[track_caller]
    fn check(vault: &Script, verb: Verb, result: Result<(), ErrorCode>, calls: &[&str]) {
        assert_eq!(run(vault, verb), result);
        assert_eq!(*vault.calls.borrow(), calls);
    }

    #[test]
    fn a_session_with_password_begins_with_the_lease_and_then_unlocks() {
        let vault = Script { enrolled: true, ..Script::default() };
        check(&vault, Verb::Open, Ok(()), &["lease", "state", "unlock 5"]);
    }

    #[test]
    fn a_session_without_password_is_the_lease_alone() {
        check(&Script { enrolled: true, ..Script::default() }, Verb::Lease, Ok(()), &["lease"]);
    }

    #[test]
    fn a_changed_password_brings_both_keys() {
        let vault = Script { enrolled: true, ..Script::default() };
        check(&vault, Verb::SetKey, Ok(()), &["state", "set-key 5 6"]);
    }

    #[test]
    fn who_has_no_login_class_is_not_asked_to_pay_for_a_key() {
        check(&Script::default(), Verb::Open, Err(ErrorCode::NotFound), &["lease", "state"]);
        check(&Script::default(), Verb::SetKey, Err(ErrorCode::NotFound), &["state"]);
    }

    #[test]
    fn without_the_lease_nothing_is_unlocked() {
        let failing = Some(("lease", ErrorCode::Unavailable));
        let vault = Script { enrolled: true, failing, ..Script::default() };
        check(&vault, Verb::Open, Err(ErrorCode::Unavailable), &["lease"]);
    }

    #[test]
    fn what_the_vault_says_is_passed_on() {
        for code in [ErrorCode::AccessDenied, ErrorCode::LimitsExceeded, ErrorCode::Sealed] {
            let vault = Script { enrolled: true, failing: Some(("unlock", code)), ..Script::default() };
            check(&vault, Verb::Open, Err(code), &["lease", "state", "unlock 5"]);
        }
    }
}
