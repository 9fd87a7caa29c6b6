//! Calls that are answered where they are read, before zbus sees them.
//!
//! Nearly all calls fetch a token that lies opened, for somebody who is known, and wait for nothing. Until such a call is with
//! its handler and its reply on its way, zbus hands it from task to task and takes it apart twice, which costs more than
//! all the vault does for it. So the readers of both doors show each call here first.
//!
//! What is not answered here goes the ordinary way, as if nothing had been tried: there it waits for what it has to wait
//! for, and is told what is wrong with it. Nothing is refused here.

mod call;
mod reply;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use self::call::{Call, Target};
pub use self::reply::Reply;
use crate::message::header::{Header, Order};

/// Longest call that is answered: those of the fast path name a token and say little more.
const LONGEST: usize = 2048;

/// What answers some calls of one connection.
pub trait FastPath: Send + Sync {
    /// Answers a call, if that needs no waiting and nothing is wrong with it. `None` leaves nothing behind, but that the read is
    /// paid for during which the audit log became full or the vault was sealed.
    fn answer(&self, call: &Call<'_>) -> Option<Reply>;
}

/// Whether a call may be one that is answered, by the beginning of its header.
pub(crate) fn may_answer(header: &Header) -> bool {
    header.is_call && !header.no_reply && header.order == Order::Little && header.len <= LONGEST
}

/// Answers the call that `message` is, of which `header` is the beginning. No fault of `path` harms who reads for it: the panic's
/// hook has logged where, and the call goes the ordinary way.
pub(crate) fn answer(path: &dyn FastPath, header: &Header, message: &[u8]) -> Option<Reply> {
    let call = Call::read(header, message)?;
    catch_unwind(AssertUnwindSafe(|| path.answer(&call))).ok().flatten()
}
