//! Whether the store is the one that was written last, before the vault opens.

use std::sync::Arc;

use super::super::{OpenVault, Vault};
use super::kept::{Kept, Use, indices, place};
use super::{Anchor, AnchorState};
use crate::error::Error;
use crate::port::{Counted, Counter, CounterPlace, CounterStep, SealError};

/// What speaks for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Nothing but itself.
    None,
    /// No recovery key is confirmed: who is refused could never come back.
    Unconfirmed,
    /// Somebody opens it with the recovery key, which is what one does when the TPM is another one.
    RecoveryKey,
    /// Somebody with the recovery key takes it as it is.
    Recover,
}

/// What the TPM says.
#[derive(Debug)]
pub enum Finding {
    /// There is no anchor, nor should there be.
    None,
    /// The store agrees with it.
    Held(Kept),
    /// The store is one ahead, and the TPM could not be had to count; or could not be asked. Why.
    Pending(Kept, String),
    /// There is none yet, or no more: one is to be made. What to tell of it.
    Make(Option<String>),
    /// The store is to go on from where the counter is. Why.
    Adopt(Kept, String),
}

impl Vault {
    /// Asks the TPM whether the store is the one that was written last.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when it is an older one; [`Error::Tpm`] when that cannot be found out.
    pub(in super::super) fn check_anchor(&self, open: &OpenVault, trust: Trust) -> Result<Finding, Error> {
        let Some(counter) = self.counter.get() else { return Ok(Finding::None) };
        // A store from before the recovery key was confirmed says that none is.
        let trust = match trust {
            Trust::Unconfirmed if self.counter_of(open, &**counter, Use::Confirmed)?.is_some() => Trust::None,
            other => other,
        };
        match self.read(|tx| Kept::read(open, tx)) {
            Ok(Some(kept)) => self.check_kept(open, &**counter, kept, trust),
            Ok(None) => self.look_for_counter(open, &**counter, trust),
            Err(Error::Quarantined(_)) if trust == Trust::Recover => Ok(Finding::Make(None)),
            Err(error) => Err(error),
        }
    }

    fn check_kept(&self, open: &OpenVault, counter: &dyn Counter, kept: Kept, trust: Trust) -> Result<Finding, Error> {
        let place = kept.place(open, self.memory())?;
        let Some(value) = kept.value else {
            return Ok(match counter.count(&place, CounterStep::Read) {
                // It was made, and that could not be written down.
                Ok(Counted::At(found)) => Finding::Adopt(kept.at(found), String::new()),
                _ => Finding::Make(None),
            });
        };
        let found = match counter.count(&place, CounterStep::Read) {
            // The daemon ended between the two.
            Ok(Counted::At(found)) if found.checked_add(1) == Some(value) => {
                counter.count(&place, CounterStep::Raise { from: found })
            }
            found => found,
        };
        match found {
            Ok(Counted::At(found)) if found == value => Ok(Finding::Held(kept)),
            Ok(Counted::At(found)) if found.checked_add(1) == Some(value) => {
                Ok(Finding::Pending(kept, "the TPM does not count".into()))
            }
            Ok(Counted::At(found)) => {
                let why = if found > value {
                    "the store is older than the TPM remembers: it was put back from a copy"
                } else {
                    "the store is newer than its TPM remembers: that is not the one it was written with"
                };
                doubted(trust, why).map(|why| Finding::Adopt(kept.at(found), why))
            }
            Ok(Counted::Missing | Counted::Foreign) | Err(SealError::WrongTpm) => {
                let why = "the TPM has no counter of this store any more: it was cleared or replaced";
                if trust == Trust::None { Err(refused(why)) } else { Ok(Finding::Make(Some(why.into()))) }
            }
            Err(error) if trust == Trust::None => Err(Error::Tpm(error)),
            Err(error) => Ok(Finding::Pending(kept, error.to_string())),
        }
    }

    /// A counter of this vault that is there, on a TPM that opens it.
    pub(super) fn counter_of(
        &self,
        open: &OpenVault,
        counter: &dyn Counter,
        of: Use,
    ) -> Result<Option<CounterPlace>, Error> {
        for root_key_name in self.root_key_names(open)? {
            for index in indices(open, of) {
                let place = place(open, index, &root_key_name, self.memory())?;
                match counter.count(&place, CounterStep::Read) {
                    Ok(Counted::At(_)) => return Ok(Some(place)),
                    Ok(Counted::Foreign) => {}
                    Ok(Counted::Missing) | Err(_) => break,
                }
            }
        }
        Ok(None)
    }

    /// Looks for a counter where the store says that there is none: one from before it had one says so too.
    fn look_for_counter(&self, open: &OpenVault, counter: &dyn Counter, trust: Trust) -> Result<Finding, Error> {
        for root_key_name in self.root_key_names(open)? {
            for index in indices(open, Use::Anchor) {
                match counter.count(&place(open, index, &root_key_name, self.memory())?, CounterStep::Read) {
                    Ok(Counted::At(found)) => {
                        let why = "the store has no anchor and the TPM has one of it: it was put back from an old copy";
                        let kept = Kept { first: found, ..self.new_anchor(index, &root_key_name).at(found) };
                        return doubted(trust, why).map(|why| Finding::Adopt(kept, why));
                    }
                    Ok(Counted::Foreign) => {}
                    // Another TPM, or none: there is nothing to find, and nothing to make.
                    Err(_) => break,
                    Ok(Counted::Missing) => return Ok(Finding::Make(None)),
                }
            }
        }
        Ok(Finding::None)
    }

    /// Puts in force what was found, before the vault serves. What cannot be done is tried again later.
    pub(in super::super) fn settle_anchor(self: &Arc<Self>, open: &Arc<OpenVault>, finding: Finding) {
        let now = match finding {
            Finding::None => Anchor::default(),
            Finding::Held(kept) => Anchor { state: AnchorState::Held, raises: kept.raises(), notice: None },
            Finding::Pending(kept, why) => {
                Anchor { state: AnchorState::Pending(why), raises: kept.raises(), notice: None }
            }
            Finding::Make(notice) => {
                let made = self.forget_anchor(open).and_then(|()| self.make_anchor(open));
                let state = made.unwrap_or_else(|error| AnchorState::Pending(error.to_string()));
                Anchor { state, raises: 0, notice }
            }
            Finding::Adopt(kept, why) => {
                let raises = kept.raises();
                let put = self.put_anchor(open, kept, Some("AdoptAnchor"));
                let state = put.map_or_else(|error| AnchorState::Pending(error.to_string()), |()| AnchorState::Held);
                Anchor { state, raises, notice: Some(why).filter(|why| !why.is_empty()) }
            }
        };
        *self.anchored() = now;
    }
}

/// What is doubted is taken only from who could not come back otherwise, and from who says so.
fn doubted(trust: Trust, why: &str) -> Result<String, Error> {
    match trust {
        Trust::Unconfirmed | Trust::Recover => Ok(why.into()),
        Trust::None | Trust::RecoveryKey => Err(refused(why)),
    }
}

fn refused(why: &str) -> Error {
    Error::Quarantined(format!(
        "{why}; if you have done that yourself, run 'tokenvaultctl recover' with the recovery key, else put the right store back"
    ))
}
