//! What the methods of `Admin` about slots have in common.

use tokenvault_core::slot::SlotKind;
use tokenvault_core::vault::NewSlot;
use tokenvault_core::{Caller, Error, Secret};
use tokenvault_proto::{AddSlotOptions, SLOT_SECRET_BYTES};
use zbus::OwnedFd;

use super::call::Call;
use super::decode;
use crate::service::Service;
use crate::value::incoming::EmptyValue;

/// Takes a slot's secret in: 32 bytes, or none where that means something.
pub async fn secret(service: &Service, call: &Call, fd: OwnedFd, empty: EmptyValue) -> Result<Secret, Error> {
    let secret = decode::slot_secret(service, call.caller.uid, fd, SLOT_SECRET_BYTES, empty).await?;
    if secret.is_empty() || secret.len() == SLOT_SECRET_BYTES {
        return Ok(secret);
    }
    Err(Error::InvalidArgs(format!("the secret of a slot has {SLOT_SECRET_BYTES} bytes, not {}", secret.len())))
}

/// Makes a slot of what a call brought.
pub fn add(
    service: &Service,
    caller: &Caller,
    kind: SlotKind,
    secret: &Secret,
    options: &AddSlotOptions,
) -> Result<u32, Error> {
    let takes_secret = matches!(kind, SlotKind::Recovery | SlotKind::Passphrase);
    if takes_secret == secret.is_empty() {
        return Err(Error::InvalidArgs(if takes_secret {
            format!("a slot of kind '{}' takes {SLOT_SECRET_BYTES} bytes", kind.as_str())
        } else {
            format!("a slot of kind '{}' takes no secret: hand an empty pipe", kind.as_str())
        }));
    }
    if kind != SlotKind::Passphrase && (options.salt.is_some() || options.params.is_some()) {
        return Err(Error::InvalidArgs("options 'salt' and 'params' belong to a passphrase".into()));
    }
    let host_key;
    let new = match kind {
        SlotKind::Tpm2 => NewSlot::Tpm2(&service.sealer),
        SlotKind::Recovery => NewSlot::Recovery(secret),
        SlotKind::Passphrase => match (&options.salt, &options.params) {
            (Some(salt), Some(params)) => NewSlot::Passphrase { derived: secret, salt, params },
            _ => {
                return Err(Error::InvalidArgs("a passphrase takes the options 'salt' and 'params'".into()));
            }
        },
        SlotKind::HostKey if !service.config().allow_host_key => {
            return Err(Error::AccessDenied(
                "a host key protects nothing at rest; set 'allow-host-key = true' in the configuration to allow it"
                    .into(),
            ));
        }
        SlotKind::HostKey => {
            // No key file for a slot that cannot be made.
            service.vault.check_slots_can_change()?;
            host_key = service.host_key.load_or_make()?;
            NewSlot::HostKey(&host_key)
        }
    };
    service.add_slot(caller, &new)
}
