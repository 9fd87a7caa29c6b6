//! Telling what expires, ahead of time and when it does.
//!
//! The vault says what has become due since it was looked at last, a page at a time. It is looked at when something is known to
//! become due, and every hour. However much expires on one day, this takes a small part of the time of one thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenvault_core::announcement::{Announcement, News};
use tokenvault_core::token::Ahead;
use tokenvault_core::{Error, Timestamp};
use tokio::time::{sleep, timeout};

use crate::bus::blocking;
use crate::service::Service;

/// How often it is looked at all the same.
const LOOK: Duration = Duration::from_secs(60 * 60);
/// How often it is looked whether a vault is open by now.
const CLOSED: Duration = Duration::from_secs(30);
/// The least pause between two walks.
const PAUSE: Duration = Duration::from_secs(1);
/// How many times longer than it works this rests.
const REST: u32 = 9;

/// Tells of what expires as long as the daemon runs.
pub async fn tell(service: Arc<Service>) {
    let mut failure = String::new();
    loop {
        let walked = walk(&service).await;
        let text = walked.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let is_new = text != failure;
        failure = text;
        let wait = match walked {
            Ok(soonest) => until(service.vault.time(), soonest).max(PAUSE),
            // What keeps the vault from being open is told elsewhere.
            Err(Error::Sealed(_) | Error::Quarantined(_)) => CLOSED,
            Err(_) => {
                if is_new {
                    log::warn!("what expires could not be told or noted: {failure}; trying again");
                }
                CLOSED
            }
        };
        // Something new may be due sooner; who stores much at once is not walked for each.
        let _sooner = timeout(wait, async {
            service.expiry_changed.notified().await;
            sleep(PAUSE).await;
        })
        .await;
    }
}

/// Tells of what has become due; when the next one will be, as far as was seen.
async fn walk(service: &Arc<Service>) -> Result<Option<Timestamp>, Error> {
    let distances = service.config().expiring_before.clone();
    let vault = Arc::clone(&service.vault);
    let mut pass = blocking(move || vault.begin_due(Ahead::new(&distances)?)).await?;
    loop {
        let (vault, begun) = (Arc::clone(&service.vault), Instant::now());
        let (goes_on, walked) = blocking(move || {
            let due = vault.step_due(&mut pass)?;
            let goes_on = due.is_some();
            vault.tell_due(&mut pass, due.unwrap_or_default())?;
            if !goes_on {
                vault.end_due(&pass)?;
            }
            Ok((goes_on, pass))
        })
        .await?;
        if !goes_on {
            return Ok(walked.soonest());
        }
        pass = walked;
        sleep(begun.elapsed() * REST).await;
    }
}

/// How long it is until then, at most [`LOOK`].
fn until(now: Timestamp, then: Option<Timestamp>) -> Duration {
    let left = then.map(|then| Duration::from_micros(then.as_usec().saturating_sub(now.as_usec())));
    left.map_or(LOOK, |left| left.min(LOOK))
}

/// Whether it has to be looked sooner because of something that was announced.
pub fn is_affected(announcement: &Announcement) -> bool {
    matches!(announcement.news, News::Changed { expires: Some(_), .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_when_something_is_due_and_every_hour() {
        let at = Timestamp::from_usec;
        assert_eq!(until(at(5), None), LOOK);
        assert_eq!(until(at(5), Some(at(1_000_005))), Duration::from_secs(1));
        assert_eq!(until(at(5), Some(at(4))), Duration::ZERO);
        assert_eq!(until(at(5), Some(at(u64::MAX))), LOOK);
    }
}
