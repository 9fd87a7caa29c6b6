//! `session`: opens the login class with the kept password, and lets the daemon know how long the session lasts.

use std::os::fd::AsFd as _;

use crate::helper::{Ended, Job, Verb};
use crate::host::{Host, Kept, Level, show};
use crate::sys::Lease;

/// Begins a session. Whatever comes of it, no password is kept afterwards.
pub(crate) fn open(host: &mut dyn Host) {
    let kept = host.take_password();
    let Some(user) = host.user() else {
        return host.log(Level::Warning, "a session of nobody");
    };
    // `sudo -i` asks for the password of one user and opens the session of another.
    let own = kept.filter(|kept| kept.user == user);
    if own.is_none() {
        host.log(Level::Debug, &format!("no password of {} is known: the login class stays as it is", show(&user)));
    }
    let (lease, alive) = match Lease::new() {
        Ok(ends) => ends,
        Err(error) => return host.log(Level::Warning, &format!("no pipe for the session: {error}")),
    };
    let secrets: &[&_] = match &own {
        Some(Kept { password, .. }) => &[password],
        None => &[],
    };
    let verb = if own.is_some() { Verb::Open } else { Verb::Lease };
    let ended = host.run_helper(&Job { verb, user: &user, secrets, lease: Some(alive.as_fd()) });
    drop(own);
    drop(alive);
    tell(host, &ended, &format!("session of {}", show(&user)));
    // A lease that nobody took counts for nothing.
    host.keep_lease(Some(lease).filter(Lease::is_held));
}

/// Ends a session.
pub(crate) fn close(host: &mut dyn Host) {
    host.keep_lease(None);
    host.keep_password(None);
}

/// Logs how a run of the helper ended.
pub(crate) fn tell(host: &dyn Host, ended: &Ended, what: &str) {
    let (level, text) = ended.remark();
    host.log(level, &format!("{what}: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authentication;
    use crate::fixture::Script;

    /// A login of alice with a password.
    fn logged_in() -> Script {
        let mut host = Script { user: Some(c"alice"), token: Some("horse"), ..Script::default() };
        authentication::keep(&mut host);
        host
    }

    #[test]
    fn the_helper_gets_the_kept_password_and_the_lease() {
        let mut host = logged_in();
        open(&mut host);
        assert_eq!(host.runs, ["open alice [horse] lease"]);
        assert!(host.lease.is_some());
    }

    #[test]
    fn the_password_is_forgotten_whatever_comes_of_it() {
        let outcomes = [
            Ended::Exited(0),
            Ended::Exited(4),
            Ended::Killed(libc::SIGKILL),
            Ended::Late,
            Ended::NotStarted(libc::ENOENT),
            Ended::Lost,
        ];
        for outcome in outcomes {
            let mut host = logged_in();
            host.outcome = outcome;
            open(&mut host);
            assert!(host.take_password().is_none(), "{outcome:?}");
        }
    }

    #[test]
    fn without_a_password_there_is_only_the_lease() {
        let mut host = Script { user: Some(c"alice"), ..Script::default() };
        authentication::keep(&mut host);
        open(&mut host);
        assert_eq!(host.runs, ["lease alice [] lease"]);
    }

    #[test]
    fn the_password_of_another_user_than_the_sessions_is_ignored_and_forgotten() {
        let mut host = logged_in();
        host.user = Some(c"root");
        open(&mut host);
        assert_eq!(host.runs, ["lease root [] lease"]);
        assert!(host.take_password().is_none());
    }

    #[test]
    fn a_lease_that_nobody_took_is_not_kept() {
        let mut host = logged_in();
        host.takes_lease = false;
        host.outcome = Ended::Exited(8);
        open(&mut host);
        assert!(host.lease.is_none());
    }

    #[test]
    fn a_wrong_password_leaves_the_lease() {
        let mut host = logged_in();
        host.outcome = Ended::Exited(4);
        open(&mut host);
        assert!(host.lease.is_some());
    }

    #[test]
    fn the_lease_ends_with_the_session() {
        let mut host = logged_in();
        open(&mut host);
        let daemon = host.daemon.take().unwrap();
        close(&mut host);
        assert_eq!(std::io::read_to_string(daemon).unwrap(), "");
    }

    #[test]
    fn a_session_of_nobody_runs_nothing() {
        let mut host = Script { user: None, ..Script::default() };
        open(&mut host);
        assert_eq!(host.runs, Vec::<String>::new());
    }

    #[test]
    fn what_is_logged_is_one_line_without_the_password() {
        for status in 0..12 {
            let mut host = logged_in();
            host.user = Some(c"al\nice");
            authentication::keep(&mut host);
            host.outcome = Ended::Exited(status);
            open(&mut host);
            let lines = host.lines.borrow();
            assert!(!lines.is_empty());
            assert!(lines.iter().all(|(_, line)| !line.contains("horse") && !line.contains('\n')), "{lines:?}");
        }
    }
}
