//! Issued tokens: what the vault mints for others to check, and codes of few digits; one operation a file. What offers of
//! stored tokens share with them stands here too: they lie in one table and count wrong codes in one way.
//!
//! The text that is handed out is known to its holder alone. What is kept is an encrypted record and an HMAC of the secret, so
//! nothing that is stored can be presented.

mod audience;
pub(crate) mod code;
mod hot;
mod issue;
mod list;
pub(crate) mod record;
mod request;
mod revoke;
mod scopes;
mod text;
mod validate;
mod validate_counted;

pub(crate) use audience::Membership;
pub use audience::{Audience, Named};
pub use hot::HotIssued;
pub(crate) use hot::HotShelf;
pub use issue::Issued;
pub use list::{IssuedInfo, IssuedPage};
pub(crate) use record::{IssuedKey, term_of};
pub use record::{IssuedMeta, Kind};
pub use request::{
    ATTEMPTS_DEFAULT, ATTEMPTS_MAX, CODE_LENGTH_DEFAULT, CODE_LENGTHS, IssueRequest, IssuedFilter, IssuedListRequest,
    NewKind, Presented, TTL_USEC_DEFAULT, ValidateRequest, check_attempts, check_uses,
};
pub use scopes::{SCOPE_BYTES_MAX, SCOPES_MAX, Scopes};
pub use text::{ID_CHARS, IssuedId, PREFIX, TOKEN_CHARS, TokenSecret, random_secret, read, write};
pub use validate::{Checked, GroupNow};
pub use validate_counted::Counted;
pub(crate) use validate_counted::replace;

use std::sync::Arc;

use crate::error::Error;
use crate::port::WriteTx;
use crate::vault::{Effect, Event, Reply, Vault};

impl Vault {
    /// Queues a write that ends or uses these; none of them is found as it was before, once it has ended. It goes on when the
    /// disk is full: it only ever takes away.
    fn write_issued<T: Send + 'static>(
        self: &Arc<Self>,
        event: &Event,
        ids: Vec<IssuedId>,
        reply: Reply<T>,
        work: impl FnMut(&mut dyn WriteTx) -> Result<T, Error> + Send + 'static,
    ) {
        self.hot_issued.begin_write(&ids);
        let vault = Arc::clone(self);
        let reply: Reply<T> = Box::new(move |result| {
            vault.hot_issued.end_write(&ids);
            reply(result);
        });
        self.write(apart_from_tokens(event), Effect::Reserved, reply, work);
    }
}

/// What a write of something issued is told by: it changes no stored token, so whatever of its owner's lies opened stays.
pub(crate) fn apart_from_tokens(event: &Event) -> Event {
    Event { owner: None, ..event.clone() }
}
