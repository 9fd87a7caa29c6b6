//! What somebody does at a program that uses PAM, and types there.

use tokenvault_tests::ALICE;

use crate::kit::{Call, Site, Under};

/// One of them; the user is alice, whose password is "horse".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    LogInWith(&'static str),
    /// By an ssh key, say.
    LogInWithoutPassword,
    /// The user's own `passwd`: with a wrong one PAM's first pass refuses, and there is no second.
    ChangePassword(&'static str),
    /// Root's `passwd alice`.
    SetPassword,
}

/// All of them, with the right password, a wrong one and none. Together they call every entry of a module.
pub const ATTEMPTS: [Attempt; 6] = [
    Attempt::LogInWith("horse"),
    Attempt::LogInWith("donkey"),
    Attempt::LogInWithoutPassword,
    Attempt::ChangePassword("horse"),
    Attempt::ChangePassword("donkey"),
    Attempt::SetPassword,
];

impl Attempt {
    /// The calls it comes to, whatever each of them answers, in a program that ends well.
    #[track_caller]
    pub fn run(self, site: &Site) -> Vec<Call> {
        self.run_between(site, &[], &[])
    }

    /// The same in a program that looks for what the module leaves in it.
    #[track_caller]
    pub fn run_as_host(self, site: &Site) -> Vec<Call> {
        self.run_between(site, &["look"], &["same", "end"])
    }

    #[track_caller]
    fn run_between(self, site: &Site, before: &[&str], after: &[&str]) -> Vec<Call> {
        site.set_password("alice", "horse");
        let (typed, calls) = self.actions();
        let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
        site.run(Under::Plain, "alice", &[&typed, before, calls, after].concat())
    }

    /// What is set up for the calls, and the calls.
    fn actions(self) -> (Vec<String>, &'static [&'static str]) {
        const LOG_IN: &[&str] = &["authenticate", "setcred", "acct_mgmt", "open_session", "close_session"];
        const CHANGE: &[&str] = &["chauthtok"];
        let answer = |password: &str| format!("answer:{password}");
        match self {
            Self::LogInWith(password) => (vec![answer(password)], LOG_IN),
            Self::LogInWithoutPassword => (Vec::new(), LOG_IN),
            Self::ChangePassword(old) => {
                (vec![format!("setuid-for:{}", ALICE.uid), answer(old), answer("stable")], CHANGE)
            }
            Self::SetPassword => (vec![answer("stable")], CHANGE),
        }
    }

    /// Whether the vault is asked anything for it.
    pub fn concerns_the_vault(self) -> bool {
        !matches!(self, Self::ChangePassword("donkey") | Self::SetPassword)
    }
}
