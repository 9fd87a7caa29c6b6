//! Whether the store is the one that was written last, before the vault opens.

use super::super::{OpenVault, Vault};
use super::kept::{Kept, Use, indices, place};
use super::{Anchor, AnchorState};
use crate::error::Error;
use crate::port::{Counted, Counter, CounterStep, SealError};

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

/// What is to be done about the anchor while the vault is open, and not before its rows were verified: what is changed by somebody
/// else is never anchored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// No slot was of a TPM, so none was asked.
    NoSlot,
    /// The store agrees with the counter: it is raised.
    Count,
    /// The TPM could not be asked, and is to be asked again with what spoke for the store.
    Ask(Trust),
    /// A counter is to be made.
    Make,
    /// The store is to go on from where the counter is.
    Adopt(Kept),
}

/// What the TPM says.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub plan: Plan,
    pub anchor: Anchor,
}

impl Finding {
    fn new(plan: Plan, state: AnchorState) -> Self {
        Self { plan, anchor: Anchor { state, ..Anchor::default() } }
    }

    /// One of a vault that has just been made, or is known to need none.
    pub fn unasked(plan: Plan) -> Self {
        Self::new(plan, AnchorState::None)
    }

    fn counting(kept: &Kept, state: AnchorState) -> Self {
        Self { plan: Plan::Count, anchor: Anchor { state, raises: kept.raises(), notice: None } }
    }

    fn ask_again(trust: Trust, why: &SealError) -> Self {
        Self::new(Plan::Ask(trust), AnchorState::Pending(why.to_string()))
    }

    fn to_do(plan: Plan, notice: Option<String>) -> Self {
        let state = AnchorState::Pending("its rows are being verified".into());
        Self { plan, anchor: Anchor { state, raises: 0, notice } }
    }
}

impl Vault {
    /// Asks the TPM whether the store is the one that was written last.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when it is an older one; [`Error::Tpm`] when that cannot be found out, and nobody may do without.
    pub(in super::super) fn check_anchor(&self, open: &OpenVault, trust: Trust) -> Result<Finding, Error> {
        let Some(counter) = self.counter.get() else { return Ok(Finding::unasked(Plan::NoSlot)) };
        let counter = &**counter;
        // A store from before the recovery key was confirmed says that none is.
        let trust = match trust {
            Trust::Unconfirmed => match self.is_marked(open, counter)? {
                Ok(true) => Trust::None,
                Ok(false) => trust,
                Err(why) => return Ok(Finding::ask_again(trust, &why)),
            },
            other => other,
        };
        match self.read(|tx| Kept::read(open, tx)) {
            Ok(Some(kept)) => self.check_kept(open, counter, kept, trust),
            Ok(None) => self.look_for_counter(open, counter, trust),
            // What does not open says nothing: there may be a counter all the same.
            Err(Error::Quarantined(why)) if trust == Trust::Recover => {
                let mut finding = self.look_for_counter(open, counter, trust)?;
                finding.anchor.notice = Some(why);
                Ok(finding)
            }
            Err(error) => Err(error),
        }
    }

    fn check_kept(&self, open: &OpenVault, counter: &dyn Counter, kept: Kept, trust: Trust) -> Result<Finding, Error> {
        let place = kept.place(open, self.memory())?;
        let found = match (counter.count(&place, CounterStep::Read), kept.value) {
            // The daemon ended between the two.
            (Ok(Counted::At(found)), Some(value)) if found.checked_add(1) == Some(value) => {
                counter.count(&place, CounterStep::Raise { from: found })
            }
            (found, _) => found,
        };
        match (found, kept.value) {
            (Ok(Counted::At(found)), Some(value)) if found == value => Ok(Finding::counting(&kept, AnchorState::Held)),
            (Ok(Counted::At(found)), Some(value)) if found.checked_add(1) == Some(value) => {
                Ok(Finding::counting(&kept, AnchorState::Pending("the TPM does not count".into())))
            }
            (Ok(Counted::At(found)), value) => {
                let why = match value {
                    None => "the store says that its anchor is being made, and the TPM has it already",
                    Some(value) if found > value => {
                        "the store is older than the TPM remembers: it was put back from a copy"
                    }
                    Some(_) => "the store is newer than its TPM remembers: that is not the one it was written with",
                };
                doubted(trust, why).map(|why| Finding::to_do(Plan::Adopt(kept.at(found)), Some(why)))
            }
            (Ok(Counted::Missing | Counted::Foreign), None) => Ok(Finding::to_do(Plan::Make, None)),
            (Ok(Counted::Missing | Counted::Foreign) | Err(SealError::WrongTpm), _) => lost(trust),
            (Err(error), _) => unasked(trust, error),
        }
    }

    /// Looks for a counter where the store says that there is none: one from before it had one says so too.
    fn look_for_counter(&self, open: &OpenVault, counter: &dyn Counter, trust: Trust) -> Result<Finding, Error> {
        let root_key_names = self.root_key_names(open)?;
        if root_key_names.is_empty() {
            return Ok(Finding::unasked(Plan::NoSlot));
        }
        let mut has_answered = false;
        for root_key_name in root_key_names {
            for index in indices(open, Use::Anchor) {
                match counter.count(&place(open, index, &root_key_name, self.memory())?, CounterStep::Read) {
                    Ok(Counted::At(found)) => {
                        let why = "the store has no anchor and the TPM has one of it: it was put back from an old copy";
                        let kept = self.new_anchor(index, &root_key_name).at(found);
                        return doubted(trust, why).map(|why| Finding::to_do(Plan::Adopt(kept), Some(why)));
                    }
                    Ok(Counted::Foreign | Counted::Missing) => has_answered = true,
                    Err(SealError::WrongTpm) => break,
                    Err(error) => return unasked(trust, error),
                }
            }
        }
        if has_answered { Ok(Finding::to_do(Plan::Make, None)) } else { lost(trust) }
    }

    /// Whether the TPM knows that a recovery key was confirmed, or why that cannot be found out.
    fn is_marked(&self, open: &OpenVault, counter: &dyn Counter) -> Result<Result<bool, SealError>, Error> {
        for root_key_name in self.root_key_names(open)? {
            for index in indices(open, Use::Confirmed) {
                match counter.count(&place(open, index, &root_key_name, self.memory())?, CounterStep::Read) {
                    Ok(Counted::At(_)) => return Ok(Ok(true)),
                    Ok(Counted::Foreign | Counted::Missing) => {}
                    Err(SealError::WrongTpm) => break,
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
        Ok(Ok(false))
    }

    /// Notes what was found of an opening.
    pub(in super::super) fn note_finding(&self, open: &OpenVault, finding: Finding) {
        *open.anchor.plan() = finding.plan;
        *self.anchored() = finding.anchor;
    }
}

/// What is doubted is taken only from who could not come back otherwise, and from who says so.
fn doubted(trust: Trust, why: &str) -> Result<String, Error> {
    match trust {
        Trust::Unconfirmed | Trust::Recover => Ok(why.into()),
        Trust::None | Trust::RecoveryKey => Err(refused(why)),
    }
}

/// There is no counter any more. Who has the recovery key may go on.
fn lost(trust: Trust) -> Result<Finding, Error> {
    let why = "the TPM has no counter of this store any more: it was cleared or replaced";
    match trust {
        Trust::None => Err(refused(why)),
        _ => Ok(Finding::to_do(Plan::Make, Some(why.into()))),
    }
}

/// The TPM does not say. Who has the recovery key may go on until it does.
fn unasked(trust: Trust, error: SealError) -> Result<Finding, Error> {
    match trust {
        Trust::None => Err(Error::Tpm(error)),
        trust => Ok(Finding::ask_again(trust, &error)),
    }
}

pub fn refused(why: &str) -> Error {
    Error::Quarantined(format!(
        "{why}; if you have done that yourself, run 'tokenvaultctl recover' with the recovery key, else put the right store back"
    ))
}
