//! The storage root key: a P-256 key kept at 0x81000001, which every program of the machine shares.
//!
//! Made with the TCG template "L-2" (TCG TPM v2.0 Provisioning Guidance; EK Credential Profile, appendix B), as systemd
//! makes it, so that whoever comes first serves both.

use tokenvault_core::port::SealError;
use tss_esapi::Error;
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::handles::{KeyHandle, PersistentTpmHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::dynamic_handles::Persistent;
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::resource_handles::{Hierarchy, Provision};
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    EccPoint, EccScheme, KeyDerivationFunctionScheme, Public, PublicBuilder, PublicEccParametersBuilder,
    SymmetricDefinitionObject,
};

use super::chip::Chip;
use super::fault::{Fault, at};

/// Where the key is kept.
const HANDLE: u32 = 0x8100_0001;

const CREATE: &str = "creating the storage root key";

/// The key and its name, or `None` when there is none.
///
/// The library computes the name from the public part it encrypts to, not from the name the TPM claims: comparing it
/// with a pinned one is sound against an interposer.
pub fn find(chip: &mut Chip) -> Result<Option<(KeyHandle, Vec<u8>)>, Fault> {
    let handle = persistent_handle()?;
    let found =
        chip.context.execute_without_session(|context| context.tr_from_tpm_public(TpmHandle::Persistent(handle)));
    let object = match found.map_err(at("TPM2_ReadPublic")) {
        Ok(object) => object,
        Err(fault) if fault.is_missing_handle() => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let name = chip.context.tr_get_name(object).map_err(at("naming the storage root key"))?;
    Ok(Some((object.into(), name.value().to_vec())))
}

/// The key that is there, if it is fit, else a new one.
pub fn adopt_or_create(chip: &mut Chip) -> Result<(KeyHandle, Vec<u8>), Fault> {
    if find(chip)?.is_none() {
        create(chip)?;
    }
    // Read back in either case: what counts is what is kept there.
    let (key, name) = find(chip)?.ok_or_else(|| SealError::Failed("the storage root key was not kept".into()))?;
    let (public, ..) = chip.context.read_public(key).map_err(at("TPM2_ReadPublic"))?;
    if is_fit(&public) {
        Ok((key, name))
    } else {
        Err(SealError::Failed(format!(
            "the key at 0x{HANDLE:x} is no storage root key exempt from lockout; if nothing uses it, remove it with \
             'tpm2_evictcontrol -C o -c 0x{HANDLE:x}'"
        ))
        .into())
    }
}

/// A storage key of this very TPM that lockout does not touch. Without the exemption, three power cuts would lock the
/// whole TPM.
fn is_fit(public: &Public) -> bool {
    let attributes = public.object_attributes();
    attributes.fixed_tpm()
        && attributes.fixed_parent()
        && attributes.sensitive_data_origin()
        && attributes.restricted()
        && attributes.decrypt()
        && attributes.no_da()
}

fn create(chip: &mut Chip) -> Result<(), Fault> {
    let template = template().map_err(at(CREATE))?;
    let handle = persistent_handle()?;
    let owner = Some(AuthSession::Password);
    let made = chip
        .context
        .execute_with_session(owner, |context| {
            context.create_primary(Hierarchy::Owner, template, None, None, None, None)
        })
        .map_err(at(CREATE))?;
    let kept = chip
        .context
        .execute_with_session(owner, |context| {
            context.evict_control(Provision::Owner, made.key_handle.into(), Persistent::Persistent(handle))
        })
        .map_err(at("keeping the storage root key"));
    match kept {
        Ok(_) => {}
        // Another program of the machine was quicker; its key is as good.
        Err(fault) if fault.is_taken_handle() => {}
        Err(fault) => return Err(fault),
    }
    chip.context.flush_context(made.key_handle.into()).map_err(at("TPM2_FlushContext"))
}

fn template() -> Result<Public, Error> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_decrypt(true)
        .build()?;
    let parameters = PublicEccParametersBuilder::new()
        .with_symmetric(SymmetricDefinitionObject::AES_128_CFB)
        .with_ecc_scheme(EccScheme::Null)
        .with_curve(EccCurve::NistP256)
        .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
        .with_is_signing_key(false)
        .with_is_decryption_key(true)
        .with_restricted(true)
        .build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}

fn persistent_handle() -> Result<PersistentTpmHandle, Fault> {
    PersistentTpmHandle::new(HANDLE).map_err(at(CREATE))
}
