//! polkit: asks it whether somebody on the bus may administer the vault (`org.freedesktop.PolicyKit1.Authority`).
//!
//! The subject is the caller's name on the bus, which cannot become another process. Whatever is no clear yes is a no: errors,
//! silence, a polkit that is not there. So is one that is not the system's: on a bus that lets its users have names, a session
//! bus for one, anybody can call himself polkit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokenvault_core::Error;
use tokio::time::{Instant, timeout_at};
use zbus::fdo::DBusProxy;
use zbus::names::{BusName, OwnedUniqueName, WellKnownName};
use zbus::{Proxy, Variant};

use super::{Turns, Users};

/// Its name on the bus.
const NAME: WellKnownName<'_> = WellKnownName::from_static_str_unchecked("org.freedesktop.PolicyKit1");
/// The user it runs as, where that is not root.
const USER: &str = "polkitd";
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

/// polkit, as it is reached on one bus.
pub struct Polkit {
    bus: DBusProxy<'static>,
    turns: Turns,
}

/// Authorised; somebody could be asked; details.
type Answer = (bool, bool, HashMap<String, String>);

impl Polkit {
    /// On a bus, over a connection that does not serve.
    pub fn new(bus: DBusProxy<'static>) -> Self {
        Self { bus, turns: Turns::of(QUESTIONS) }
    }

    /// Asks whether the user behind a name on the bus may administer the vault; with `interactive`, also the user. Whose polkit
    /// itself is, `users` knows.
    ///
    /// # Errors
    /// [`Error::InteractionRequired`] when only asking somebody could permit it, [`Error::AccessDenied`] when nothing does.
    pub async fn check_administers(
        &self,
        users: &Users,
        uid: u32,
        sender: &str,
        interactive: bool,
    ) -> Result<(), Error> {
        let _turn = self.turns.take(uid).await?;
        match self.ask(users, sender, interactive).await {
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

    async fn ask(&self, users: &Users, sender: &str, interactive: bool) -> Result<Answer, String> {
        let until = Instant::now() + if interactive { ASKED } else { UNASKED };
        let late = |_| "no answer in time".to_owned();
        let told = |error: zbus::Error| error.to_string();
        let owner = timeout_at(until, self.owner(users)).await.map_err(late)??;
        let (path, interface) = ("/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority");
        let authority = Proxy::new(self.bus.inner().connection(), owner, path, interface).await.map_err(told)?;
        let subject = ("system-bus-name", HashMap::from([("name", Variant::from(sender))]));
        let details: HashMap<&str, &str> = HashMap::new();
        let flags = if interactive { ALLOW_USER_INTERACTION } else { 0 };
        let question = format!("tokenvault-{}", NUMBERS.fetch_add(1, Ordering::Relaxed));
        let arguments = (subject, ADMINISTER, details, flags, question.as_str());
        let answer = timeout_at(until, authority.call("CheckAuthorization", &arguments)).await;
        if answer.is_err() {
            // Nobody waits for it any more; a dialog would stay on somebody's screen.
            let _taken_back = authority.call_noreply("CancelCheckAuthorization", &(question.as_str(),)).await;
        }
        answer.map_err(late)?.map_err(told)
    }

    /// Who is polkit. The unique name is answered for by nobody else, whoever has the other name by then.
    async fn owner(&self, users: &Users) -> Result<OwnedUniqueName, String> {
        let told = |error: zbus::fdo::Error| error.to_string();
        let owner = match self.bus.get_name_owner(BusName::WellKnown(NAME)).await {
            Ok(owner) => owner,
            // As a rule it is started by whoever calls it first.
            Err(_) => {
                self.bus.start_service_by_name(NAME, 0).await.map_err(told)?;
                self.bus.get_name_owner(BusName::WellKnown(NAME)).await.map_err(told)?
            }
        };
        let uid = self.bus.get_connection_unix_user(BusName::Unique(owner.as_ref())).await.map_err(told)?;
        if uid == 0 || users.name(uid).await.is_ok_and(|name| *name == *USER) {
            return Ok(owner);
        }
        Err(format!("{NAME} is uid {uid} on this bus, which is neither root nor '{USER}'"))
    }
}
