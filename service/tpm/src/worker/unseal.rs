//! Opening what was sealed.
//!
//! The order is the point: name of the root key, then damage, then policy, and only then the secret. Each failure has its
//! own cause, and none of them costs a try before lockout.

use tokenvault_core::port::{SealError, SealedBlob};
use tokenvault_tpm::SECRET_LEN;
use tss_esapi::constants::SessionType;
use tss_esapi::handles::{KeyHandle, ObjectHandle};
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Private, Public};
use tss_esapi::traits::{Marshall, UnMarshall};
use zeroize::Zeroizing;

use super::chip::Chip;
use super::fault::{Fault, at};
use super::{policy, root_key};

/// Opens `blob`.
pub fn unseal(chip: &mut Chip, blob: &SealedBlob) -> Result<Zeroizing<[u8; SECRET_LEN]>, Fault> {
    // A cleared TPM has no root key, a replaced one another: nothing of ours is shown to either.
    let (root, name) = root_key::find(chip)?.ok_or(SealError::WrongTpm)?;
    if name != blob.root_key_name {
        return Err(SealError::WrongTpm.into());
    }
    let object = load(chip, root, blob)?;
    let (session, digest) = policy::assert(chip, root, SessionType::Policy, &blob.pcrs)?;
    if digest.value() != blob.policy {
        return Err(SealError::PolicyMismatch.into());
    }
    let encrypting = chip.encrypting_session(root)?;
    let secret = chip
        .context
        .execute_with_sessions((Some(session.into()), Some(encrypting), None), |context| context.unseal(object))
        .map_err(at("TPM2_Unseal"))?;
    let mut copy = Zeroizing::new([0; SECRET_LEN]);
    if secret.value().len() != SECRET_LEN {
        return Err(SealError::DamagedBlob.into());
    }
    copy.copy_from_slice(secret.value());
    Ok(copy)
}

/// Loads the object. Under the right root key, whatever is wrong with its parts is damage.
fn load(chip: &mut Chip, root: KeyHandle, blob: &SealedBlob) -> Result<ObjectHandle, Fault> {
    let damaged = |_| Fault::Known(SealError::DamagedBlob);
    let public = Public::unmarshall(&blob.public).map_err(damaged)?;
    let whole = public.marshall().map_err(damaged)? == blob.public;
    if !whole || public.auth_policy().value() != blob.policy {
        return Err(SealError::DamagedBlob.into());
    }
    let private = Private::try_from(blob.private.as_slice()).map_err(damaged)?;
    let loaded = chip
        .context
        .execute_with_session(Some(AuthSession::Password), |context| context.load(root, private, public))
        .map_err(at("TPM2_Load"));
    match loaded {
        Ok(key) => Ok(key.into()),
        Err(fault) if fault.is_bad_parameter() => Err(SealError::DamagedBlob.into()),
        Err(fault) => Err(fault),
    }
}
