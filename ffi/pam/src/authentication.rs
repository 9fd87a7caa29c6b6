//! `auth`: keeps the password that was typed, for the session. It proves nothing and asks nothing.

use crate::host::{Host, Kept, Level, show};

/// Keeps what another module asked for, bound to whom it was asked for. What an earlier try left is forgotten.
///
/// Who is asked for the own password, as sudo does, logs in nowhere: it would be kept for a session that does not come, as long
/// as the command runs.
pub(crate) fn keep(host: &mut dyn Host) {
    host.keep_password(None);
    let Some((user, password)) = host.user().zip(host.token()) else {
        return host.log(Level::Debug, "no password was typed");
    };
    if host.asking_user().as_ref() == Some(&user) {
        return host.log(Level::Debug, &format!("{} is asked as one who is logged in: nothing is kept", show(&user)));
    }
    host.log(Level::Debug, &format!("keeping the password of {} for the session", show(&user)));
    host.keep_password(Some(Kept { user, password }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Script;

    #[test]
    fn the_password_is_kept_with_whose_it_is() {
        let mut host = Script { user: Some(c"alice"), token: Some("horse"), ..Script::default() };
        keep(&mut host);
        let kept = host.take_password().unwrap();
        assert_eq!((kept.user.as_c_str(), kept.password.expose()), (c"alice", &b"horse"[..]));
    }

    #[test]
    fn a_try_without_password_forgets_the_one_before() {
        let mut host = Script { user: Some(c"alice"), token: Some("horse"), ..Script::default() };
        keep(&mut host);
        host.token = None;
        keep(&mut host);
        assert!(host.take_password().is_none());
    }

    #[test]
    fn nothing_is_kept_of_one_who_is_asked_for_the_own_password() {
        let mut host = Script { user: Some(c"alice"), token: Some("horse"), ..Script::default() };
        keep(&mut host);
        host.asking_user = Some(c"alice");
        keep(&mut host);
        assert!(host.take_password().is_none());
        host.asking_user = Some(c"bob");
        keep(&mut host);
        assert!(host.take_password().is_some(), "su asks bob for alice's");
    }

    #[test]
    fn nothing_is_kept_of_nobody() {
        let mut host = Script { user: None, token: Some("horse"), ..Script::default() };
        keep(&mut host);
        assert!(host.take_password().is_none());
    }
}
