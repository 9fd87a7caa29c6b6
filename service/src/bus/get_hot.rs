//! `Get` on the fast path: of the caller's own token that lies opened, for somebody who is known and within all limits.

use std::sync::Arc;
use std::time::Instant;

use tokenvault_core::token::TokenInfo;
use tokenvault_core::vault::HotToken;
use tokenvault_proto::{GetOptions, OBJECT_PATH, TOKENS_INTERFACE};
use zbus::wire::serialized::Context;
use zbus::wire::{Endian, to_bytes};

use super::desk::{Front, SMALL_REPLY};
use super::hot::HotDesk;
use super::{Options, decode, encode};
use crate::caller::{InFlight, Kind};
use crate::fast_path::{Call, FastPath, Reply, Target};
use crate::metrics::Method;
use crate::sys::pipe;
use crate::value::Reservation;

const GET: Target = Target { path: OBJECT_PATH, interface: TOKENS_INTERFACE, member: "Get", signature: "sa{sv}" };

/// The fast path of `Get` on one connection.
pub struct GetHot(HotDesk);

/// What a value needs before it is decrypted.
struct Place {
    token: Arc<HotToken>,
    in_flight: InFlight,
    room: Reservation,
}

impl GetHot {
    /// At a desk.
    pub const fn new(desk: HotDesk) -> Self {
        Self(desk)
    }

    fn place(&self, uid: u32, token: &Arc<HotToken>) -> Option<Place> {
        // What fits into any pipe, and a reply that is no burden.
        let info = token.info();
        let len = usize::try_from(info.size).ok().filter(|len| *len <= pipe::PAGE)?;
        if info.reply_bytes() > SMALL_REPLY {
            return None;
        }
        let service = &self.0.service;
        let in_flight = service.limiter.enter(uid).ok()?;
        let place = match &self.0.front {
            Front::Socket(_) => None,
            Front::Bus(_) => Some(service.pipes.free_bus_place(uid)?),
        };
        let room = service.pipes.reserve_free(uid, len, place).ok()?;
        Some(Place { token: Arc::clone(token), in_flight, room })
    }
}

impl FastPath for GetHot {
    fn answer(&self, call: &Call<'_>) -> Option<Reply> {
        if !call.is(&GET) {
            return None;
        }
        let begun = Instant::now();
        let identity = self.0.identify(call)?;
        let (service, uid) = (&self.0.service, identity.uid);
        let (name, options): (&str, Options) = call.arguments()?;
        let options = decode::options::<GetOptions>(options).ok()?;
        let request = decode::get_own(name, options).ok()??;
        let caller = identity.named(service.users.known_name(uid)?);
        let make_place = |token: &Arc<HotToken>| self.place(uid, token);
        let (bytes, filled, in_flight) = service.vault.get_hot(&caller, &request, make_place, |place, value| {
            let Place { token, in_flight, room } = place;
            let filled = room.fill(value).ok()?;
            let bytes = Reply::encode(call, token.told(told)?)?;
            service.limiter.pay(uid, Kind::Read).ok()?;
            Some((bytes, filled, in_flight))
        })?;
        let reply = Reply::new(call, bytes, filled.hand_out(), in_flight);
        service.metrics.calls.count(Method::GET, None, begun.elapsed());
        Some(reply)
    }
}

/// What a reply tells of a token, with the number of the descriptor before it.
fn told(info: &TokenInfo) -> Option<Box<[u8]>> {
    let encoded = to_bytes(Context::new(Endian::Little, 0), &(0_u32, encode::token(info))).ok()?;
    Some(encoded.bytes().into())
}

#[cfg(test)]
pub(super) mod tests;
