//! The toy's fast path: `Fetch`, answered where it is read.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokenvaultd::caller::Limiter;
use tokenvaultd::fast_path::{Call, FastPath, Reply, Target};
use zbus::wire::serialized::Context;
use zbus::wire::{Endian, to_bytes};

use super::{INTERFACE, PATH, Shared, came, pipe_with};

const FETCH: Target = Target { path: PATH, interface: INTERFACE, member: "Fetch", signature: "s" };
/// How long it holds what nobody lets go.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers every `Fetch`, but `decline` and `panic`; `hold` when it may.
pub struct Fetches(pub Arc<Shared>);

impl FastPath for Fetches {
    fn answer(&self, call: &Call<'_>) -> Option<Reply> {
        let text: &str = call.is(&FETCH).then(|| call.arguments()).flatten()?;
        let shared = &self.0;
        shared.asked.fetch_add(1, Ordering::SeqCst);
        match text {
            "decline" => return None,
            "panic" => panic!("as it was asked to"),
            "hold" => {
                shared.waiting.notify_one();
                let (may_go, told) = &shared.may_go;
                let waited = told.wait_timeout_while(may_go.lock().unwrap(), PATIENCE, |may_go| !*may_go);
                assert!(!waited.unwrap().1.timed_out(), "nobody let it go");
            }
            _ => {}
        }
        let body = to_bytes(Context::new(Endian::Little, 0), &(0_u32, came("the fast way"))).unwrap();
        let bytes = Reply::encode(call, body.bytes())?;
        Some(Reply::new(call, bytes, pipe_with(text), Limiter::default().enter(7).unwrap()))
    }
}
