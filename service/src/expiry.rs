//! Telling what expires, ahead of time and when it does.
//!
//! The vault says what has become due since it was looked at last, a page at a time. It is looked at when something is known to
//! become due, and every hour. However much expires on one day, this takes a small part of the time of one thread.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenvault_core::announcement::{Announcement, News};
use tokenvault_core::token::{Ahead, DuePass};
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
    let (mut failure, mut unfinished) = (String::new(), None);
    loop {
        let walked = walk(&service, &mut unfinished).await;
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

/// Tells of what has become due, from where an earlier walk could not go on; when the next one will be, as far as was seen.
async fn walk(service: &Arc<Service>, unfinished: &mut Option<DuePass>) -> Result<Option<Timestamp>, Error> {
    if unfinished.is_none() {
        *unfinished = Some(begin(service).await?);
    }
    let walked = to_the_end(unfinished, |pass| step(Arc::clone(service), pass)).await?;
    Ok(walked.and_then(|pass| pass.soonest()))
}

async fn begin(service: &Service) -> Result<DuePass, Error> {
    let (distances, vault) = (service.config().expiring_before.clone(), Arc::clone(&service.vault));
    let pass = blocking(move || vault.begin_due(Ahead::new(&distances)?)).await?;
    if pass.is_blind() {
        log::warn!(
            "the note of up to when it was told what expires was changed: what became due before now may not be told"
        );
    }
    Ok(pass)
}

/// Takes the steps that are left, and gives the last of it. One that fails is taken again the next time, and none before it.
async fn to_the_end<P: Clone, S>(unfinished: &mut Option<P>, mut step: impl FnMut(P) -> S) -> Result<Option<P>, Error>
where
    S: Future<Output = Result<(bool, P), Error>>,
{
    while let Some(pass) = unfinished.clone() {
        let begun = Instant::now();
        let (goes_on, pass) = step(pass).await?;
        if !goes_on {
            *unfinished = None;
            return Ok(Some(pass));
        }
        *unfinished = Some(pass);
        sleep(begun.elapsed() * REST).await;
    }
    Ok(None)
}

/// Takes one step; whether there is another one.
async fn step(service: Arc<Service>, mut pass: DuePass) -> Result<(bool, DuePass), Error> {
    blocking(move || {
        let vault = &service.vault;
        let due = vault.step_due(&mut pass)?;
        let goes_on = due.is_some();
        vault.tell_due(&mut pass, due.unwrap_or_default())?;
        if !goes_on {
            vault.end_due(&pass)?;
        }
        Ok((goes_on, pass))
    })
    .await
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

    #[tokio::test]
    async fn a_step_that_fails_is_taken_again_and_none_before_it() {
        let (mut unfinished, mut told, mut tries) = (Some(0), Vec::new(), 0);
        while unfinished.is_some() {
            let step = |number: u32| {
                tries += 1;
                let fails = [2, 4].contains(&tries);
                if !fails {
                    told.push(number);
                }
                std::future::ready(if fails { Err(Error::NotFound) } else { Ok((number < 3, number + 1)) })
            };
            let _failed = to_the_end(&mut unfinished, step).await;
        }
        assert_eq!((told, tries), (vec![0, 1, 2, 3], 6));
    }

    #[test]
    fn it_is_looked_when_something_is_due_and_every_hour() {
        let at = Timestamp::from_usec;
        assert_eq!(until(at(5), None), LOOK);
        assert_eq!(until(at(5), Some(at(1_000_005))), Duration::from_secs(1));
        assert_eq!(until(at(5), Some(at(4))), Duration::ZERO);
        assert_eq!(until(at(5), Some(at(u64::MAX))), LOOK);
    }
}
