//! Counters in NV memory (TPM 2.0 Library, Part 1, "NV Counter Index").
//!
//! Only who has the authorisation value reads and raises one, and the HMAC of a salted session shows that an answer is the TPM's
//! and of this index. The owner can remove an index, but a new one begins above every counter there ever was.

use tokenvault_core::port::{Counted, CounterStep, SealError};
use tokenvault_tpm::SECRET_LEN;
use tss_esapi::attributes::{NvIndexAttributes, NvIndexAttributesBuilder};
use tss_esapi::constants::{NvIndexType, SessionType};
use tss_esapi::handles::{KeyHandle, NvIndexHandle, NvIndexTpmHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::{NvAuth, Provision};
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Auth, NvPublicBuilder};
use tss_esapi::{Context, Error};

use super::chip::Chip;
use super::fault::{Fault, at};
use super::root_key;

const DEFINE: &str = "TPM2_NV_DefineSpace";
const READ_PUBLIC: &str = "TPM2_NV_ReadPublic";
const READ: &str = "TPM2_NV_Read";
/// Bytes of a counter.
const SIZE: u16 = 8;

/// Which counter, as the daemon says it.
pub struct Place<'a> {
    /// Its NV index.
    pub index: u32,
    /// Name of the root key of its TPM.
    pub root_key_name: &'a [u8],
    /// Its authorisation.
    pub auth: &'a [u8; SECRET_LEN],
}

/// Takes a step with a counter.
pub fn count(chip: &mut Chip, place: &Place<'_>, step: CounterStep) -> Result<Counted, Fault> {
    let (root, name) = root_key::find(chip)?.ok_or(SealError::WrongTpm)?;
    if name != place.root_key_name {
        return Err(SealError::WrongTpm.into());
    }
    let counter = Access { root, index: place.index, auth: place.auth };
    match counter.find(chip)? {
        Found::Foreign => Ok(Counted::Foreign),
        Found::Missing if step == CounterStep::Make => {
            counter.define(chip)?;
            counter.begin(chip)
        }
        // Defined by somebody who ended before it counted.
        Found::Unwritten(_) if step == CounterStep::Make => counter.begin(chip),
        // One that has not counted proves nothing, nor whose it is.
        Found::Missing | Found::Unwritten(_) => Ok(Counted::Missing),
        Found::Written(handle) => counter.step(chip, handle, step),
    }
}

/// What an index is, as far as anybody may know.
enum Found {
    Missing,
    Foreign,
    /// One of the kind the vault makes, that has not counted yet.
    Unwritten(NvIndexHandle),
    /// The same that has.
    Written(NvIndexHandle),
}

/// The way to one counter.
struct Access<'a> {
    root: KeyHandle,
    index: u32,
    auth: &'a [u8; SECRET_LEN],
}

impl Access<'_> {
    fn find(&self, chip: &mut Chip) -> Result<Found, Fault> {
        let index = TpmHandle::NvIndex(NvIndexTpmHandle::new(self.index).map_err(at(READ_PUBLIC))?);
        let found = chip.context.execute_without_session(|context| context.tr_from_tpm_public(index));
        let handle = match found.map_err(at(READ_PUBLIC)) {
            Ok(object) => NvIndexHandle::from(object),
            Err(fault) if fault.is_missing_handle() => return Ok(Found::Missing),
            Err(fault) => return Err(fault),
        };
        let public = chip.context.execute_without_session(|context| context.nv_read_public(handle));
        let (public, _) = public.map_err(at(READ_PUBLIC))?;
        // Of any other index no authorisation is tried: that could count as a guess.
        Ok(if public.attributes() == attributes(true).map_err(at(READ_PUBLIC))? {
            Found::Written(handle)
        } else if public.attributes() == attributes(false).map_err(at(READ_PUBLIC))? {
            Found::Unwritten(handle)
        } else {
            Found::Foreign
        })
    }

    fn define(&self, chip: &mut Chip) -> Result<(), Fault> {
        let index = NvIndexTpmHandle::new(self.index).map_err(at(DEFINE))?;
        let public = NvPublicBuilder::new()
            .with_nv_index(index)
            .with_index_name_algorithm(HashingAlgorithm::Sha256)
            .with_index_attributes(attributes(false).map_err(at(DEFINE))?)
            .with_data_area_size(usize::from(SIZE))
            .build()
            .map_err(at(DEFINE))?;
        let auth = Auth::try_from(self.auth.as_slice()).map_err(at(DEFINE))?;
        // So that the authorisation value is not on the wire as it is.
        let encrypting = chip.encrypting_session(self.root)?;
        let sessions = (Some(AuthSession::Password), Some(encrypting), None);
        let defined = chip
            .context
            .execute_with_sessions(sessions, |context| context.nv_define_space(Provision::Owner, Some(auth), public));
        let flushed = chip.flush_session(encrypting);
        defined.map_err(at(DEFINE)).and(flushed)
    }

    /// Has one that was just defined count for the first time.
    fn begin(&self, chip: &mut Chip) -> Result<Counted, Fault> {
        match self.find(chip)? {
            Found::Unwritten(handle) => {
                if !self.is_granted(chip, handle, Context::nv_increment, "TPM2_NV_Increment")? {
                    return Ok(Counted::Foreign);
                }
            }
            Found::Written(_) => {}
            Found::Missing => return Ok(Counted::Missing),
            Found::Foreign => return Ok(Counted::Foreign),
        }
        // Its name is another one now.
        match self.find(chip)? {
            Found::Written(handle) => self.read(chip, handle),
            _ => Err(SealError::Failed("the counter was made and is not there".into()).into()),
        }
    }

    fn step(&self, chip: &mut Chip, handle: NvIndexHandle, step: CounterStep) -> Result<Counted, Fault> {
        let counted = self.read(chip, handle)?;
        match (step, counted) {
            (CounterStep::Raise { from }, Counted::At(value)) if value == from => {
                self.is_granted(chip, handle, Context::nv_increment, "TPM2_NV_Increment")?;
                self.read(chip, handle)
            }
            (CounterStep::Remove, Counted::At(_)) => remove(chip, handle).map(|()| Counted::Missing),
            _ => Ok(counted),
        }
    }

    fn read(&self, chip: &mut Chip, handle: NvIndexHandle) -> Result<Counted, Fault> {
        let mut value = None;
        let granted = self.is_granted(
            chip,
            handle,
            |context, auth, handle| {
                value = Some(context.nv_read(auth, handle, SIZE, 0)?);
                Ok(())
            },
            READ,
        )?;
        let bytes = value.as_ref().and_then(|value| value.value().try_into().ok()).map(u64::from_be_bytes);
        match (granted, bytes) {
            (false, _) => Ok(Counted::Foreign),
            (true, Some(value)) => Ok(Counted::At(value)),
            (true, None) => Err(SealError::Failed(format!("{READ}: it is no counter")).into()),
        }
    }

    /// Runs a command that the authorisation value allows; whether it did.
    fn is_granted(
        &self,
        chip: &mut Chip,
        handle: NvIndexHandle,
        command: impl FnOnce(&mut Context, NvAuth, NvIndexHandle) -> Result<(), Error>,
        step: &'static str,
    ) -> Result<bool, Fault> {
        let auth = Auth::try_from(self.auth.as_slice()).map_err(at(step))?;
        chip.context.tr_set_auth(handle.into(), auth).map_err(at(step))?;
        let session = chip.salted_session(self.root, SessionType::Hmac)?;
        let auth = NvAuth::NvIndex(handle);
        let done = chip.context.execute_with_session(Some(session), |context| command(context, auth, handle));
        let flushed = chip.flush_session(session);
        match done.map_err(at(step)) {
            Ok(()) => flushed.map(|()| true),
            Err(fault) if fault.is_refused_auth() => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}

fn remove(chip: &mut Chip, handle: NvIndexHandle) -> Result<(), Fault> {
    chip.context
        .execute_with_session(Some(AuthSession::Password), |context| {
            context.nv_undefine_space(Provision::Owner, handle)
        })
        .map_err(at("TPM2_NV_UndefineSpace"))
}

/// Read and raised with the index's own authorisation alone, whose guesses the TPM does not count.
fn attributes(has_counted: bool) -> Result<NvIndexAttributes, Error> {
    NvIndexAttributesBuilder::new()
        .with_nv_index_type(NvIndexType::Counter)
        .with_auth_read(true)
        .with_auth_write(true)
        .with_no_da(true)
        .with_written(has_counted)
        .build()
}
