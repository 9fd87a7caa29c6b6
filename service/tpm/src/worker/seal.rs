//! Sealing a secret under the storage root key.

use tokenvault_core::port::SealedBlob;
use tokenvault_tpm::SECRET_LEN;
use tss_esapi::Error;
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::structures::{Digest, KeyedHashScheme, Public, PublicBuilder, PublicKeyedHashParameters, SensitiveData};
use tss_esapi::traits::Marshall;

use super::chip::Chip;
use super::fault::{Fault, at};
use super::{policy, root_key};

const CREATE: &str = "TPM2_Create";

/// Seals `secret` to this TPM and to the present values of `pcrs`.
pub fn seal(chip: &mut Chip, secret: &[u8; SECRET_LEN], pcrs: &[u8]) -> Result<SealedBlob, Fault> {
    let (root, root_key_name) = root_key::adopt_or_create(chip)?;
    let (trial, policy) = policy::assert(chip, root, SessionType::Trial, pcrs)?;
    chip.flush_session(trial.into())?;
    let public = template(policy.clone()).map_err(at(CREATE))?;
    let secret = SensitiveData::try_from(secret.as_slice()).map_err(at(CREATE))?;
    let session = chip.encrypting_session(root)?;
    let made = chip
        .context
        .execute_with_session(Some(session), |context| context.create(root, public, None, Some(secret), None, None))
        .map_err(at(CREATE))?;
    Ok(SealedBlob {
        root_key_name,
        public: made.out_public.marshall().map_err(at(CREATE))?,
        private: made.out_private.value().to_vec(),
        policy: policy.value().to_vec(),
        pcrs: pcrs.to_vec(),
    })
}

/// Opened by its policy only (in the admin role as well), bound to this TPM, exempt from lockout: an object that is not
/// counts every power cut after its use as a failed try.
fn template(policy: Digest) -> Result<Public, Error> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_admin_with_policy(true)
        .with_no_da(true)
        .build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::KeyedHash)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_auth_policy(policy)
        .with_keyed_hash_parameters(PublicKeyedHashParameters::new(KeyedHashScheme::Null))
        .with_keyed_hash_unique_identifier(Digest::default())
        .build()
}
