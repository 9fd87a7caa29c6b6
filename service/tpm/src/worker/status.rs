//! What the TPM says of itself, without any key of it.

use tokenvault_core::port::TpmStatus;
use tss_esapi::constants::{CapabilityType, PropertyTag};
use tss_esapi::structures::CapabilityData;

use super::chip::Chip;
use super::fault::{Fault, at};
use super::root_key;

/// TPM 2.0 Library, Part 2, "TPMA_PERMANENT": inLockout.
const IN_LOCKOUT: u32 = 1 << 9;

/// Asks for what [`TpmStatus`] holds.
pub fn status(chip: &mut Chip) -> Result<TpmStatus, Fault> {
    let manufacturer = property(chip, PropertyTag::Manufacturer)?;
    let firmware = property(chip, PropertyTag::FirmwareVersion1)?;
    let permanent = property(chip, PropertyTag::Permanent)?;
    Ok(TpmStatus {
        manufacturer: printable(manufacturer),
        firmware: format!("{}.{}", firmware >> 16, firmware & 0xffff),
        root_key_name: root_key::find(chip)?.map(|(_, name)| name).unwrap_or_default(),
        in_lockout: permanent & IN_LOCKOUT != 0,
    })
}

/// A property as it is now; zero when the TPM has none such. The library's own getter would cache it.
fn property(chip: &mut Chip, tag: PropertyTag) -> Result<u32, Fault> {
    let (data, _) = chip
        .context
        .execute_without_session(|context| context.get_capability(CapabilityType::TpmProperties, tag.into(), 1))
        .map_err(at("TPM2_GetCapability"))?;
    match data {
        CapabilityData::TpmProperties(list) => {
            Ok(list.into_iter().find(|found| found.property() == tag).map_or(0, |found| found.value()))
        }
        _ => Ok(0),
    }
}

/// Four ASCII characters, padded with zeros or blanks. Anything else in them is the chip's doing and left out.
fn printable(id: u32) -> String {
    id.to_be_bytes().into_iter().filter(u8::is_ascii_graphic).map(char::from).collect()
}
