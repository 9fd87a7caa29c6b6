//! The policy of sealed objects: `[PolicyPCR(sha256: pcrs)], PolicyCommandCode(TPM2_Unseal)`.
//!
//! The object has no password and no other way in, so something must stand in its policy even when no PCR does: the
//! command code lets the session do the one thing it is for.

use tss_esapi::Error;
use tss_esapi::constants::{CommandCode, SessionType};
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::PolicySession;
use tss_esapi::structures::{Digest, PcrSelectionList, PcrSelectionListBuilder, PcrSlot};

use super::chip::Chip;
use super::fault::{Fault, at};

const STEP: &str = "building the policy";

/// A session in which the policy was asserted, and the digest it came to. With [`SessionType::Trial`] it authorises
/// nothing and only tells the digest.
pub fn assert(
    chip: &mut Chip,
    root: KeyHandle,
    kind: SessionType,
    pcrs: &[u8],
) -> Result<(PolicySession, Digest), Fault> {
    let selection = selection(pcrs).map_err(at(STEP))?;
    let session = PolicySession::try_from(chip.salted_session(root, kind)?).map_err(at(STEP))?;
    // Without a session: one that encrypts is refused by commands that have nothing to encrypt. A lie here is caught by
    // the comparison of digests, or by the TPM at TPM2_Unseal.
    let digest = chip.context.execute_without_session(|context| {
        if !pcrs.is_empty() {
            context.policy_pcr(session, Digest::default(), selection)?;
        }
        context.policy_command_code(session, CommandCode::Unseal)?;
        context.policy_get_digest(session)
    });
    Ok((session, digest.map_err(at(STEP))?))
}

fn selection(pcrs: &[u8]) -> Result<PcrSelectionList, Error> {
    let slots = pcrs.iter().map(|pcr| PcrSlot::try_from(1_u32.checked_shl(u32::from(*pcr)).unwrap_or_default()));
    let slots = slots.collect::<Result<Vec<_>, _>>()?;
    PcrSelectionListBuilder::new().with_selection(HashingAlgorithm::Sha256, &slots).build()
}
