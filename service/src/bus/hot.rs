//! The calls that are answered where they are read, and who is at that desk: somebody who is known and within all limits.

use std::sync::Arc;

use super::desk::Front;
use super::get_hot::GetHot;
use super::validate_hot::ValidateHot;
use crate::caller::Identity;
use crate::fast_path::{Call, FastPath, Reply};
use crate::service::Service;

/// The fast paths of one connection.
pub struct HotCalls {
    get: GetHot,
    validate: ValidateHot,
}

impl HotCalls {
    /// At a door.
    pub fn new(service: &Arc<Service>, front: &Front) -> Self {
        let desk = || HotDesk { service: Arc::clone(service), front: front.clone() };
        Self { get: GetHot::new(desk()), validate: ValidateHot::new(desk()) }
    }
}

impl FastPath for HotCalls {
    fn answer(&self, call: &Call<'_>) -> Option<Reply> {
        self.get.answer(call).or_else(|| self.validate.answer(call))
    }
}

/// Where such a call comes in.
pub struct HotDesk {
    pub(super) service: Arc<Service>,
    pub(super) front: Front,
}

impl HotDesk {
    /// Who calls, if that is known and he owes no silence.
    pub(super) fn identify(&self, call: &Call<'_>) -> Option<Identity> {
        let identity = match (&self.front, call.sender()) {
            (Front::Socket(identity), None) => identity.clone(),
            (Front::Bus(callers), Some(sender)) => callers.cached(sender)?,
            // Only a bus says who sends.
            _ => return None,
        };
        self.service.pace.silence(identity.uid).is_zero().then_some(identity)
    }
}
