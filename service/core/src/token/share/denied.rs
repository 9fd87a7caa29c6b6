//! What a grantee may not do: everything but fetching, describing and, where it may, storing. It knows that the token is there
//! and is told so; everybody else is told what is told of a token that is missing.

use super::reach::{Asked, Foreign};
use super::{Permission, ShareMeta};
use crate::Caller;
use crate::error::Error;
use crate::issued::GroupNow;
use crate::owner::Owner;
use crate::policy::Action;
use crate::token::request::NamedRequest;
use crate::vault::{Event, Vault};

impl Vault {
    /// Whether a token is shared with somebody who may not do something with it as its owner may.
    ///
    /// # Errors
    /// As [`Vault::describe`] where it has nothing to do with the token.
    pub fn is_grantee(
        &self,
        caller: &Caller,
        request: &NamedRequest,
        action: Action,
        groups: &[GroupNow],
    ) -> Result<Asked<bool>, Error> {
        // A counted use is not spent where a share without a limit does.
        let enough = |share: &ShareMeta| share.permission == Permission::Write && share.uses_left.is_none();
        self.reaches(caller, request, (action, groups), enough)
    }

    fn reaches(
        &self,
        caller: &Caller,
        request: &NamedRequest,
        (action, groups): (Action, &[GroupNow]),
        enough: fn(&ShareMeta) -> bool,
    ) -> Result<Asked<bool>, Error> {
        let open = self.open()?;
        // Who is disabled or frozen is refused by the operation, and is not told what is shared with it.
        let may_see = self.judged(&open, caller, Owner::Own, Action::Read).is_ok();
        if !may_see || self.judged(&open, caller, request.owner, action).is_ok() {
            return Ok(Asked::Answer(false));
        }
        let foreign = Foreign { caller, groups, owner: request.owner, name: &request.name };
        match self.read(|tx| foreign.reach(self, &open, tx, enough)) {
            Err(Error::NotFound | Error::ShareOver) => Ok(Asked::Answer(false)),
            reached => reached?.and_then(|_| Ok(true)),
        }
    }

    /// Refuses a grantee what is its owner's alone. Whoever is none is let through, and answered by the operation itself.
    ///
    /// # Errors
    /// [`Error::AccessDenied`], and as [`Vault::describe`] where it has nothing to do with the token.
    pub fn refuse_grantee(
        &self,
        caller: &Caller,
        request: &NamedRequest,
        (operation, action): (&'static str, Action),
        groups: &[GroupNow],
    ) -> Result<Asked<()>, Error> {
        // Whoever has any share of it is one.
        self.reaches(caller, request, (action, groups), |_| true)?.and_then(|is_grantee| {
            if !is_grantee {
                return Ok(());
            }
            let refused = Error::AccessDenied(
                "this token is shared with you, and that is for its owner to do; ask its owner".into(),
            );
            let event = Event::new(caller, operation).about(request.owner.uid(caller), request.name.as_str());
            self.note_refusal(&event, &refused);
            Err(refused)
        })
    }
}
