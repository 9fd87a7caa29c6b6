//! `Validate` on the fast path: of a token that lies opened and is valid, for somebody who may have it validated.

use std::time::Instant;

use tokenvault_core::issued::IssuedInfo;
use tokenvault_proto::{ISSUER_INTERFACE, OBJECT_PATH, ValidateOptions};
use zbus::wire::serialized::Context;
use zbus::wire::{Endian, to_bytes};

use super::desk::SMALL_REPLY;
use super::hot::HotDesk;
use super::{Options, decode, decode_issued, encode};
use crate::caller::Kind;
use crate::fast_path::{Call, FastPath, Reply, Target};
use crate::metrics::Method;

const VALIDATE: Target =
    Target { path: OBJECT_PATH, interface: ISSUER_INTERFACE, member: "Validate", signature: "sa{sv}" };
/// What it answers with.
const SIGNATURE: &str = "ba{sv}";

/// The fast path of `Validate` on one connection.
pub struct ValidateHot(HotDesk);

impl ValidateHot {
    /// At a desk.
    pub const fn new(desk: HotDesk) -> Self {
        Self(desk)
    }
}

impl FastPath for ValidateHot {
    fn answer(&self, call: &Call<'_>) -> Option<Reply> {
        if !call.is(&VALIDATE) {
            return None;
        }
        let begun = Instant::now();
        let identity = self.0.identify(call)?;
        let (service, uid) = (&self.0.service, identity.uid);
        let (token, options): (&str, Options) = call.arguments()?;
        let request = decode_issued::validate(token, decode::options::<ValidateOptions>(options).ok()?).ok()?;
        let caller = identity.named(service.users.known_name(uid)?);
        let (bytes, in_flight) = service.vault.validate_hot(&caller, &request, |token| {
            if token.info().reply_bytes() > SMALL_REPLY {
                return None;
            }
            let in_flight = service.limiter.enter(uid).ok()?;
            let bytes = Reply::encode_plain(call, SIGNATURE, token.told(told)?)?;
            service.limiter.pay(uid, Kind::Read).ok()?;
            Some((bytes, in_flight))
        })?;
        let reply = Reply::plain(call, bytes, in_flight);
        service.metrics.calls.count(Method::find(VALIDATE.interface, VALIDATE.member), None, begun.elapsed());
        Some(reply)
    }
}

/// What a reply tells of a valid token.
fn told(info: &IssuedInfo) -> Option<Box<[u8]>> {
    let encoded = to_bytes(Context::new(Endian::Little, 0), &(true, encode::issued(info))).ok()?;
    Some(encoded.bytes().into())
}

#[cfg(test)]
mod tests;
