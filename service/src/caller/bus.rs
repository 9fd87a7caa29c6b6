//! Callers on the bus: unique names and the credentials the bus vouches for.
//!
//! The bus is asked once for each unique name, over a connection of our own: a handler that awaited an answer on the
//! connection it is served from could hang everyone. An answer is kept until the bus connection goes; then the whole cache
//! goes with it. Nothing of it is dropped when a caller leaves, and nothing needs to be: a
//! bus never gives a unique name twice (D-Bus specification, "Message Bus Names"), and a message has no other sender than the
//! connection it came from, whose credentials the bus took when that was made. So an entry is true of every message that
//! can ever bear its name; those of connections that are gone only take room, which is bounded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokenvault_core::Error;
use tokenvault_core::caller::Door;
use tokio::sync::{OnceCell, Semaphore};
use zbus::export::ordered_stream::OrderedStreamExt;
use zbus::fdo::DBusProxy;
use zbus::names::{BusName, UniqueName};

use super::polkit::Polkit;
use super::{Identity, is_contained};

/// Names remembered; past it the cache starts over.
const CACHE_MAX: usize = 4_096;
/// Questions to the bus at one time.
const QUESTIONS: usize = 32;
/// How long the bus may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// What the bus says of a name, asked once for all who wait.
type Answer = Arc<OnceCell<Result<Identity, Unknown>>>;

/// Why it is not known who calls.
#[derive(Debug, Clone)]
enum Unknown {
    NoUid,
    Unavailable(String),
}

impl From<Unknown> for Error {
    fn from(unknown: Unknown) -> Self {
        match unknown {
            Unknown::NoUid => Self::AccessDenied("the bus knows no uid for this connection".into()),
            Unknown::Unavailable(why) => {
                Self::Unavailable(format!("the bus does not say who is calling: {why}; retry"))
            }
        }
    }
}

/// Who is behind the unique names of one bus connection.
pub struct BusCallers {
    bus: DBusProxy<'static>,
    polkit: Polkit,
    known: Mutex<HashMap<String, Answer>>,
    questions: Semaphore,
    /// Whether those who leave the bus are followed.
    follows: OnceCell<()>,
}

impl BusCallers {
    /// Asks over `bus`, which must not be the connection that serves.
    pub fn new(bus: DBusProxy<'static>) -> Self {
        let polkit = Polkit::new(bus.clone());
        let (known, questions, follows) = (Mutex::default(), Semaphore::new(QUESTIONS), OnceCell::new());
        Self { bus, polkit, known, questions, follows }
    }

    /// Who permits what root alone may otherwise.
    pub const fn polkit(&self) -> &Polkit {
        &self.polkit
    }

    /// Who is behind a unique name, where that is known already.
    pub fn cached(&self, sender: &str) -> Option<Identity> {
        let known = self.known();
        known.get(sender)?.get()?.as_ref().ok().cloned()
    }

    /// Who is behind a unique name. All who wait for one answer have it at the same time, also when it is none.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] when the bus knows no uid for it, [`Error::Unavailable`] when the bus does not answer.
    pub async fn identity(&self, sender: &UniqueName<'_>) -> Result<Identity, Error> {
        let answer = self.answer(sender.as_str());
        let said = answer.get_or_init(|| self.ask(sender)).await.clone();
        if said.is_err() {
            self.forget(sender.as_str(), &answer);
        }
        Ok(said?)
    }

    /// Has `forget` called with every name that leaves the bus from now on, as long as the connection lasts; and at once, where
    /// it has left already, with this one. The first `forget` stays.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the bus does not answer.
    pub async fn follow_leaving(&self, forget: impl Fn(&str) + Send + 'static, name: &str) -> Result<(), Error> {
        let unavailable = |why: &str| Error::Unavailable(format!("the bus does not say who leaves it: {why}; retry"));
        let asked = async {
            let _permit = self.questions.acquire().await.map_err(|error| zbus::Error::Failure(error.to_string()))?;
            self.follows
                .get_or_try_init(|| async {
                    // The last argument is the new owner: there is none.
                    let mut leaving = self.bus.receive_name_owner_changed_with_args(&[(2, "")]).await?;
                    tokio::spawn(async move {
                        while let Some(left) = leaving.next().await {
                            if let Ok(left) = left.args() {
                                forget(left.name.as_str());
                            }
                        }
                    });
                    zbus::Result::Ok(())
                })
                .await?;
            Ok(self.bus.name_has_owner(BusName::try_from(name)?).await?)
        };
        let asked: Result<zbus::Result<bool>, _> = tokio::time::timeout(DEADLINE, asked).await;
        match asked {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(unavailable("the caller has left")),
            Ok(Err(error)) => Err(unavailable(&error.to_string())),
            Err(_) => Err(unavailable(&format!("no answer within {} s", DEADLINE.as_secs()))),
        }
    }

    /// The next call asks again.
    fn forget(&self, sender: &str, answer: &Answer) {
        let mut known = self.known();
        if known.get(sender).is_some_and(|now| Arc::ptr_eq(now, answer)) {
            known.remove(sender);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Answer>> {
        // Nothing panics while the lock is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, sender: &str) -> Answer {
        let mut known = self.known();
        if let Some(answer) = known.get(sender) {
            return Arc::clone(answer);
        }
        if known.len() >= CACHE_MAX {
            known.clear();
        }
        Arc::clone(known.entry(sender.to_owned()).or_default())
    }

    async fn ask(&self, sender: &UniqueName<'_>) -> Result<Identity, Unknown> {
        let asked = async {
            let _permit = self.questions.acquire().await.map_err(|error| Unknown::Unavailable(error.to_string()))?;
            self.bus
                .get_connection_credentials(BusName::Unique(sender.as_ref()))
                .await
                .map_err(|error| Unknown::Unavailable(error.to_string()))
        };
        let credentials = tokio::time::timeout(DEADLINE, asked)
            .await
            .map_err(|_| Unknown::Unavailable(format!("no answer within {} s", DEADLINE.as_secs())))??;
        let uid = credentials.unix_user_id().ok_or(Unknown::NoUid)?;
        let gids = credentials.unix_group_ids().cloned().unwrap_or_default();
        let pid = credentials.process_id();
        Ok(Identity { uid, gids: gids.into(), pid, door: Door::Bus, contained: is_contained(uid, pid) })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use tokio::task::JoinSet;
    use zbus::connection::Builder;
    use zbus::{Connection, Guid};

    use super::*;

    /// Callers of a bus that takes every question and answers none; its end, and ours.
    async fn callers_of_a_silent_bus() -> (Arc<BusCallers>, Connection) {
        let (bus, asking) = UnixStream::pair().unwrap();
        let silent = Builder::unix_stream(bus).server(Guid::generate()).p2p().build();
        let (silent, asking) = tokio::join!(silent, Builder::unix_stream(asking).p2p().build());
        let callers = BusCallers::new(DBusProxy::new(&asking.unwrap()).await.unwrap());
        (Arc::new(callers), silent.unwrap())
    }

    #[tokio::test]
    async fn all_calls_of_a_name_the_bus_says_nothing_of_fail_together_and_the_next_one_asks_again() {
        let (callers, _bus) = callers_of_a_silent_bus().await;
        let (begun, mut waiting) = (Instant::now(), JoinSet::new());
        for _ in 0..120 {
            let callers = Arc::clone(&callers);
            waiting.spawn(async move { callers.identity(&UniqueName::from_static_str_unchecked(":1.7")).await });
        }
        while let Some(told) = waiting.join_next().await {
            assert!(matches!(told.unwrap(), Err(Error::Unavailable(_))));
        }
        assert!(begun.elapsed() < 2 * DEADLINE, "{:?}", begun.elapsed());
        assert!(callers.known().is_empty(), "a failure is kept");
    }

    #[tokio::test]
    async fn who_is_known_is_told_without_asking_the_bus() {
        let (callers, _bus) = callers_of_a_silent_bus().await;
        let name = UniqueName::from_static_str_unchecked(":1.7");
        let known = Identity { uid: 7, gids: [].into(), pid: None, door: Door::Bus, contained: false };
        let answer = callers.answer(name.as_str());
        assert_eq!(callers.cached(&name), None, "the bus has not answered yet");
        answer.set(Ok(known.clone())).unwrap();
        assert_eq!(callers.cached(&name), Some(known.clone()));
        assert_eq!(callers.identity(&name).await.unwrap(), known);
    }
}
