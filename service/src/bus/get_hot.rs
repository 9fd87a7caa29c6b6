//! `Get` on the fast path: of the caller's own token that lies opened, for somebody who is known and within all limits.

use std::sync::Arc;

use tokenvault_core::token::{HotGet, TokenInfo};
use tokenvault_proto::{GetOptions, OBJECT_PATH, TOKENS_INTERFACE};
use zbus::wire::serialized::Context;
use zbus::wire::{Endian, to_bytes};

use super::desk::{Front, SMALL_REPLY};
use super::{Options, decode, encode};
use crate::caller::{Identity, Kind};
use crate::fast_path::{Call, FastPath, Reply, Target};
use crate::service::Service;
use crate::sys::pipe;
use crate::value::Reservation;

const GET: Target = Target { path: OBJECT_PATH, interface: TOKENS_INTERFACE, member: "Get", signature: "sa{sv}" };

/// The fast path of one connection.
pub struct GetHot {
    service: Arc<Service>,
    front: Front,
}

impl GetHot {
    /// At a door.
    pub const fn new(service: Arc<Service>, front: Front) -> Self {
        Self { service, front }
    }

    fn identify(&self, call: &Call<'_>) -> Option<Identity> {
        match &self.front {
            Front::Socket(identity) => Some(identity.clone()),
            Front::Bus(callers) => callers.cached(call.sender()?),
        }
    }

    /// Room for a value, paid for.
    fn place(&self, uid: u32, info: &TokenInfo) -> Option<Reservation> {
        // What fits into any pipe, and a reply that is no burden.
        let len = usize::try_from(info.size).ok().filter(|len| *len <= pipe::PAGE)?;
        if info.reply_bytes() > SMALL_REPLY {
            return None;
        }
        let pipes = &self.service.pipes;
        let place = match &self.front {
            Front::Socket(_) => None,
            Front::Bus(_) => Some(pipes.free_bus_place(uid)?),
        };
        let room = pipes.reserve(uid, len, place).ok()?;
        self.service.limiter.pay(uid, Kind::Read).ok()?;
        Some(room)
    }
}

impl FastPath for GetHot {
    fn answer(&self, call: &Call<'_>) -> Option<Reply> {
        if !call.is(&GET) {
            return None;
        }
        let (name, options): (&str, Options) = call.arguments()?;
        let options = decode::options::<GetOptions>(options).ok()?;
        let request = decode::get_own(name, options).ok()??;
        let identity = self.identify(call)?;
        let (service, uid) = (&self.service, identity.uid);
        let caller = identity.named(service.users.known_name(uid)?);
        let in_flight = service.limiter.enter(uid).ok()?;
        let HotGet { token, value, place } = service.vault.get_hot(&caller, &request, |info| self.place(uid, info))?;
        let body = token.told(told)?;
        Reply::new(call, body, place.send(&value).ok()?, in_flight)
    }
}

/// What a reply tells of a token, with the number of the descriptor before it.
fn told(info: &TokenInfo) -> Option<Box<[u8]>> {
    let encoded = to_bytes(Context::new(Endian::Little, 0), &(0_u32, encode::token(info))).ok()?;
    Some(encoded.bytes().into())
}
