//! `auth`: keeps the password that was typed, for the session. It proves nothing and asks nothing.

use crate::host::{Host, Kept, Level, show};

/// Keeps what another module asked for, bound to whom it was asked for. What an earlier try left is forgotten.
pub(crate) fn keep(host: &mut dyn Host) {
    let kept = host.user().zip(host.token()).map(|(user, password)| Kept { user, password });
    match &kept {
        Some(kept) => host.log(Level::Debug, &format!("keeping the password of {} for the session", show(&kept.user))),
        None => host.log(Level::Debug, "no password was typed"),
    }
    host.keep_password(kept);
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
    fn nothing_is_kept_of_nobody() {
        let mut host = Script { user: None, token: Some("horse"), ..Script::default() };
        keep(&mut host);
        assert!(host.take_password().is_none());
    }
}
