//! `password`: a password that its user changes opens the login class too, beside the old one.

use crate::helper::{Job, Verb};
use crate::host::{Host, Level, show};
use crate::session::tell;

/// Gives the login class the key of the new password. The old one stays until the new one has opened it once: a module after
/// this one may still refuse the change.
pub(crate) fn change(host: &mut dyn Host) {
    let Some(user) = host.user() else {
        return host.log(Level::Warning, "a password of nobody");
    };
    let (Some(old), Some(new)) = (host.old_token(), host.token()) else {
        let text = "the password of {} is set without the old one: the login class keeps its key";
        return host.log(Level::Debug, &text.replace("{}", &show(&user)));
    };
    let ended = host.run_helper(&Job { verb: Verb::SetKey, user: &user, secrets: &[&old, &new], lease: None });
    tell(host, &ended, &format!("new password of {}", show(&user)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Script;

    #[test]
    fn the_helper_gets_both_passwords() {
        let mut host =
            Script { user: Some(c"alice"), token: Some("stable"), old_token: Some("horse"), ..Script::default() };
        change(&mut host);
        assert_eq!(host.runs, ["set-key alice [horse stable]"]);
        assert!(host.lease.is_none());
    }

    #[test]
    fn a_change_without_the_old_password_does_nothing_and_is_no_more_than_a_debug_line() {
        let mut host = Script { user: Some(c"alice"), token: Some("stable"), ..Script::default() };
        change(&mut host);
        assert_eq!(host.runs, Vec::<String>::new());
        assert!(matches!(host.lines.borrow().as_slice(), [(Level::Debug, _)]));
    }

    #[test]
    fn a_change_without_a_new_password_does_nothing() {
        let mut host = Script { user: Some(c"alice"), old_token: Some("horse"), ..Script::default() };
        change(&mut host);
        assert_eq!(host.runs, Vec::<String>::new());
    }
}
