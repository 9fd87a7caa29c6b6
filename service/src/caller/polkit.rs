//! polkit: asks it whether somebody on the bus may administer the vault (`org.freedesktop.PolicyKit1.Authority`).
//!
//! The subject is the caller's name on the bus, which cannot become another process. Whatever is no clear yes is a no: errors,
//! silence, a polkit that is not there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokenvault_core::Error;
use tokio::time::timeout;
use zbus::{Connection, Proxy, Variant};

use super::Turns;

/// The action that stands for everything an administrator does.
const ADMINISTER: &str = "org.tokenvault1.admin";
/// How long somebody who is asked may take, and how long polkit may where nobody is.
const ASKED: Duration = Duration::from_secs(120);
const UNASKED: Duration = Duration::from_secs(5);
/// Questions of all users at one time; of one user there is one.
const QUESTIONS: usize = 8;
/// `AllowUserInteraction` of `CheckAuthorization`.
const ALLOW_USER_INTERACTION: u32 = 1;

/// Numbers the questions, so that one can be taken back.
static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// polkit, as it is reached from one connection.
pub struct Polkit {
    connection: Connection,
    turns: Turns,
}

/// Authorised; somebody could be asked; details.
type Answer = (bool, bool, HashMap<String, String>);

impl Polkit {
    /// On a bus, over a connection that does not serve.
    pub fn new(connection: Connection) -> Self {
        Self { connection, turns: Turns::of(QUESTIONS) }
    }

    /// Asks whether the user behind a name on the bus may administer the vault; with `interactive`, also the user.
    ///
    /// # Errors
    /// [`Error::InteractionRequired`] when only asking somebody could permit it, [`Error::AccessDenied`] when nothing does.
    pub async fn check_administers(&self, uid: u32, sender: &str, interactive: bool) -> Result<(), Error> {
        let _turn = self.turns.take(uid).await?;
        match self.ask(sender, interactive).await {
            Ok((true, _, _)) => Ok(()),
            Ok((false, true, _)) if !interactive => Err(Error::InteractionRequired(
                "somebody has to confirm this, and the call does not allow to ask; use 'tokenvaultctl' at a terminal, or sudo"
                    .into(),
            )),
            Ok(_) => Err(Error::AccessDenied("this needs an administrator's consent, and there was none; use sudo".into())),
            Err(why) => {
                log::debug!("polkit was not asked: {why}");
                Err(Error::AccessDenied("only root administers the vault here; use sudo".into()))
            }
        }
    }

    async fn ask(&self, sender: &str, interactive: bool) -> Result<Answer, String> {
        let told = |error: zbus::Error| error.to_string();
        let authority = Proxy::new(
            &self.connection,
            "org.freedesktop.PolicyKit1",
            "/org/freedesktop/PolicyKit1/Authority",
            "org.freedesktop.PolicyKit1.Authority",
        );
        let authority = authority.await.map_err(told)?;
        let subject = ("system-bus-name", HashMap::from([("name", Variant::from(sender))]));
        let details: HashMap<&str, &str> = HashMap::new();
        let flags = if interactive { ALLOW_USER_INTERACTION } else { 0 };
        let question = format!("tokenvault-{}", NUMBERS.fetch_add(1, Ordering::Relaxed));
        let arguments = (subject, ADMINISTER, details, flags, question.as_str());
        let answer = authority.call("CheckAuthorization", &arguments);
        match timeout(if interactive { ASKED } else { UNASKED }, answer).await {
            Ok(answer) => answer.map_err(told),
            Err(_) => {
                // Nobody waits for it any more; a dialog would stay on somebody's screen.
                let _taken_back = authority.call_noreply("CancelCheckAuthorization", &(question.as_str(),)).await;
                Err("no answer in time".into())
            }
        }
    }
}
