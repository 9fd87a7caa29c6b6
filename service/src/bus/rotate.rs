//! Drawing keys anew that are in use.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokenvault_core::port::{Cancelled, Progress};
use tokenvault_core::vault::{KeyringRotation, Vault, daemon};
use tokenvault_core::{Caller, Error};
use tokenvault_proto::{Findings, RotateOptions};

use super::call::Call;
use super::{Desk, Options, decode};
use crate::operation::{Ended, Watch};
use crate::service::Service;

/// The method.
const METHOD: &str = "Rotate";

/// Which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// The key-encryption key of a slot.
    Slot(u32),
    /// The vault key.
    VaultKey,
    /// The keyring.
    Keyring,
    /// The machine key of a user.
    User { uid: u32, reencrypts: bool },
}

impl Display for What {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(id) => write!(f, "slot {id}"),
            Self::VaultKey => f.write_str("vk"),
            Self::Keyring => f.write_str("keyring"),
            Self::User { uid, reencrypts: false } => write!(f, "user {uid}"),
            Self::User { uid, reencrypts: true } => write!(f, "user {uid}, values too"),
        }
    }
}

impl What {
    fn parse(word: &str, options: &RotateOptions) -> Result<Self, Error> {
        let misses = |option: &str| Error::InvalidArgs(format!("'{word}' takes the option '{option}'"));
        let what = match word {
            "slot" => Self::Slot(options.slot.ok_or_else(|| misses("slot"))?),
            "vk" => Self::VaultKey,
            "keyring" => Self::Keyring,
            "user" => {
                let uid = options.uid.ok_or_else(|| misses("uid"))?;
                Self::User { uid, reencrypts: options.reencrypt.unwrap_or(false) }
            }
            _ => return Err(Error::InvalidArgs("what is rotated must be 'slot', 'vk', 'keyring' or 'user'".into())),
        };
        let strange = [
            ("slot", options.slot.is_some() && word != "slot"),
            ("uid", options.uid.is_some() && word != "user"),
            ("reencrypt", options.reencrypt.is_some() && word != "user"),
        ];
        match strange.iter().find(|(_, is_strange)| *is_strange) {
            Some((option, _)) => Err(Error::InvalidArgs(format!("option '{option}' does not belong to '{word}'"))),
            None => Ok(what),
        }
    }
}

/// `Rotate`.
pub async fn begin(desk: &Desk, call: Call, word: &str, options: Options) -> Result<u64, Error> {
    let what = What::parse(word, &decode::options::<RotateOptions>(options)?)?;
    let service = Arc::clone(&desk.service);
    service.vault.check_open()?;
    let caller = call.caller.clone();
    let about = what.to_string();
    desk.service
        .operations
        .begin(&call.caller, (METHOD, about), move |watch: &Watch| rotate(&service, &caller, what, watch))
}

fn rotate(service: &Service, caller: &Caller, what: What, watch: &Watch) -> Ended {
    let vault = &service.vault;
    let rotated = match what {
        What::Slot(id) => vault.rotate_slot(caller, &service.sealer, id).map(|()| Findings::default()),
        What::VaultKey => vault.rotate_vault_key(caller).map(|()| Findings::default()),
        What::Keyring => {
            let begun = vault.begin_keyring_rotation(caller, watch);
            begun.and_then(|rotation| finish_keyring(service, rotation, watch))
        }
        What::User { uid, reencrypts } => rotate_user(vault, caller, (uid, reencrypts), watch),
    };
    if matches!(&rotated, Err(Error::Unavailable(_) | Error::LimitsExceeded { .. })) && vault.check_open().is_ok() {
        // What was begun is gone on with as soon as that works again.
        service.rotation_left.notify_one();
    }
    rotated.map_err(|error| (error, Findings::default()))
}

/// Logins outlast a restart under a key of the keyring, too: under the new one as soon as there is one.
fn finish_keyring(service: &Service, rotation: KeyringRotation, progress: &dyn Progress) -> Result<Findings, Error> {
    service.park_logins();
    let done = rotation.finish(progress)?;
    Ok(Findings::default().with("rows", done.rows).with("kept", done.kept))
}

fn rotate_user(
    vault: &Arc<Vault>,
    caller: &Caller,
    (uid, reencrypts): (u32, bool),
    watch: &Watch,
) -> Result<Findings, Error> {
    // One that has not ended may have begun before whatever this one is for.
    if vault.unfinished_rotations()?.contains(&uid) {
        vault.begin_user_rotation(caller, uid, false)?.finish(watch)?;
    }
    let done = vault.begin_user_rotation(caller, uid, reencrypts)?.finish(watch)?;
    Ok(Findings::default().with("rows", done.rows).with("values", done.values).with("locked", done.locked))
}

/// Goes on with what ended before all was done, because the daemon was stopped or the vault sealed: one user after the other, whatever
/// becomes of one. Whether it should be tried again: something may work later. Blocks.
///
/// # Errors
/// When the store cannot be read.
pub fn go_on(service: &Service) -> Result<bool, Error> {
    let mut again = service.vault.has_earlier_terms()? && go_on_with_keyring(service)?;
    for uid in service.vault.unfinished_rotations()? {
        let begun = service.vault.begin_user_rotation(&daemon(), uid, false);
        match begun.and_then(|rotation| rotation.finish(&UntilTheEnd(service))) {
            Ok(_) => log::info!("the rotation of the key of uid {uid} that had been interrupted is done"),
            Err(Error::Sealed(_) | Error::Cancelled) => return Ok(false),
            Err(error) => {
                again |= matches!(error, Error::Unavailable(_) | Error::LimitsExceeded { .. });
                log::warn!("the rotation of the key of uid {uid} that had been interrupted does not go on: {error}");
            }
        }
    }
    Ok(again)
}

/// Goes on with a rotation of the keyring, and lets go of what nothing needs any more of one that has ended. Whether it should be tried
/// again.
fn go_on_with_keyring(service: &Service) -> Result<bool, Error> {
    let is_unfinished = service.vault.has_unfinished_keyring_rotation()?;
    let rotation = service.vault.resume_keyring_rotation(&daemon());
    match rotation.and_then(|rotation| finish_keyring(service, rotation, &UntilTheEnd(service))) {
        Ok(_) if is_unfinished => log::info!("the rotation of the keyring that had been interrupted is done"),
        Ok(_) | Err(Error::Sealed(_) | Error::Cancelled) => {}
        // An administrator has begun one meanwhile, or nothing hangs on it.
        Err(error) if !is_unfinished || service.vault.is_rotating_keyring() => {
            log::debug!("keys of the keyring of before are kept: {error}");
        }
        Err(error) => {
            log::warn!("the rotation of the keyring that had been interrupted does not go on: {error}");
            return Ok(matches!(error, Error::Unavailable(_) | Error::LimitsExceeded { .. }));
        }
    }
    Ok(false)
}

/// Goes on until the daemon ends.
struct UntilTheEnd<'a>(&'a Service);

impl Progress for UntilTheEnd<'_> {
    fn report(&self, _done: u64, _total: u64) -> Result<(), Cancelled> {
        if self.0.ending.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_takes_its_own_options_and_no_others() {
        let none = RotateOptions::default();
        let slot = RotateOptions { slot: Some(3), ..RotateOptions::default() };
        let uid = RotateOptions { uid: Some(7), ..RotateOptions::default() };
        let anew = RotateOptions { reencrypt: Some(true), ..uid.clone() };
        assert_eq!(What::parse("slot", &slot).unwrap(), What::Slot(3));
        assert_eq!(What::parse("vk", &none).unwrap(), What::VaultKey);
        assert_eq!(What::parse("keyring", &none).unwrap(), What::Keyring);
        assert_eq!(What::parse("user", &uid).unwrap(), What::User { uid: 7, reencrypts: false });
        assert_eq!(What::parse("user", &anew).unwrap(), What::User { uid: 7, reencrypts: true });
        for (word, options) in
            [("slot", &none), ("user", &slot), ("vk", &slot), ("vk", &anew), ("keyring", &uid), ("coffee", &none)]
        {
            assert!(matches!(What::parse(word, options), Err(Error::InvalidArgs(_))), "{word} {options:?}");
        }
    }
}
