//! Callers on the bus: unique names and the credentials the bus vouches for.
//!
//! The bus is asked once for each unique name, over a connection of our own: a handler that awaited an answer on the
//! connection it is served from could hang everyone. Unique names are never given twice while the bus lives, so what was
//! learnt stays true until the bus connection goes; then the whole cache goes with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokenvault_core::Error;
use tokenvault_core::caller::Door;
use tokio::sync::{OnceCell, Semaphore};
use zbus::fdo::DBusProxy;
use zbus::names::{BusName, UniqueName};

use super::{Identity, is_contained};

/// Names remembered; past it the cache starts over.
const CACHE_MAX: usize = 4_096;
/// Questions to the bus at one time.
const QUESTIONS: usize = 32;
/// How long the bus may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// Who is behind the unique names of one bus connection.
pub struct BusCallers {
    bus: DBusProxy<'static>,
    known: Mutex<HashMap<String, Arc<OnceCell<Identity>>>>,
    questions: Semaphore,
}

impl BusCallers {
    /// Asks over `bus`, which must not be the connection that serves.
    pub fn new(bus: DBusProxy<'static>) -> Self {
        Self { bus, known: Mutex::default(), questions: Semaphore::new(QUESTIONS) }
    }

    /// Who is behind a unique name.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] when the bus knows no uid for it, [`Error::Unavailable`] when the bus does not answer.
    pub async fn identity(&self, sender: &UniqueName<'_>) -> Result<Identity, Error> {
        let cell = self.cell(sender.as_str());
        cell.get_or_try_init(|| self.ask(sender)).await.cloned()
    }

    fn cell(&self, sender: &str) -> Arc<OnceCell<Identity>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = known.get(sender) {
            return Arc::clone(cell);
        }
        if known.len() >= CACHE_MAX {
            known.clear();
        }
        Arc::clone(known.entry(sender.to_owned()).or_default())
    }

    async fn ask(&self, sender: &UniqueName<'_>) -> Result<Identity, Error> {
        let unavailable =
            |why: String| Error::Unavailable(format!("the bus does not say who is calling: {why}; retry"));
        let asked = async {
            let _permit = self.questions.acquire().await.map_err(|error| unavailable(error.to_string()))?;
            self.bus
                .get_connection_credentials(BusName::Unique(sender.as_ref()))
                .await
                .map_err(|error| unavailable(error.to_string()))
        };
        let credentials = tokio::time::timeout(DEADLINE, asked)
            .await
            .map_err(|_| unavailable(format!("no answer within {} s", DEADLINE.as_secs())))??;
        let uid = credentials
            .unix_user_id()
            .ok_or_else(|| Error::AccessDenied("the bus knows no uid for this connection".into()))?;
        let gids = credentials.unix_group_ids().cloned().unwrap_or_default();
        let pid = credentials.process_id();
        Ok(Identity { uid, gids: gids.into(), pid, door: Door::Bus, contained: is_contained(uid, pid) })
    }
}
