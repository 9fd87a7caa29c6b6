//! Refused administrators in the journal: any user can be refused as often as he likes, and must not push out with it what
//! else the journal has.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::event;

/// Refusals of one uid within this time are one line. The audit log has their number.
const ONE_LINE: Duration = Duration::from_secs(60);
/// Uids remembered; more are not told of until one of these can be forgotten.
const UIDS_MAX: usize = 1_024;

/// Who was told of lately.
#[derive(Default)]
pub struct RefusedAdmins {
    told: Mutex<HashMap<u32, Instant>>,
}

impl RefusedAdmins {
    /// Tells that `uid` was refused `operation`, unless it was told of it just now.
    pub fn tell(&self, uid: u32, operation: &str, why: &dyn std::fmt::Display) {
        if self.is_news(uid, Instant::now()) {
            log::warn!(
                MESSAGE_ID = event::ADMIN_REFUSED, TOKENVAULT_UID = uid, TOKENVAULT_OPERATION = operation;
                "uid {uid} was refused {operation}: {why}"
            );
        }
    }

    fn is_news(&self, uid: u32, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |at: &Instant| now.duration_since(*at) < ONE_LINE;
        if told.get(&uid).is_some_and(fresh) {
            return false;
        }
        if told.len() >= UIDS_MAX {
            told.retain(|_, at| fresh(at));
        }
        if told.len() >= UIDS_MAX {
            return false;
        }
        told.insert(uid, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_told_of_once_a_minute() {
        let (refused, start) = (RefusedAdmins::default(), Instant::now());
        assert!(refused.is_news(7, start));
        assert!(!refused.is_news(7, start + ONE_LINE / 2));
        assert!(refused.is_news(8, start + ONE_LINE / 2), "another one");
        assert!(refused.is_news(7, start + ONE_LINE));
    }

    #[test]
    fn many_uids_take_no_more_room_than_there_is() {
        let (refused, start) = (RefusedAdmins::default(), Instant::now());
        let uids = u32::try_from(UIDS_MAX).unwrap();
        assert!((0..uids).all(|uid| refused.is_news(uid, start)));
        assert!(!refused.is_news(uids, start));
        assert!(refused.is_news(uids, start + ONE_LINE));
    }
}
