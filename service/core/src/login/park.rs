//! Open login keys over a restart of the daemon: wrapped, to be kept by whoever restarts it, and of no use without the vault.

use minicbor::{Decode, Encode};

use super::unlocked::Key;
use crate::crypto::{Aad, kdf, wrap};
use crate::error::Error;
use crate::vault::{OpenVault, Vault};
use crate::{Secret, principal};

const PARKED: &str = "login-parked";

#[derive(Encode, Decode)]
#[cbor(map)]
struct Parked {
    #[n(0)]
    uid: u32,
    #[cbor(n(1), with = "minicbor::bytes")]
    generation: [u8; 16],
    #[cbor(n(2), with = "minicbor::bytes")]
    wrapped: Vec<u8>,
}

impl Vault {
    /// All open login keys, wrapped under a key of the keyring; empty while there are none.
    ///
    /// # Errors
    /// When random numbers or memory cannot be had.
    pub fn park_logins(&self) -> Result<Vec<u8>, Error> {
        let Ok(open) = self.open() else { return Ok(Vec::new()) };
        let keys = open.unlocked.all();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let key = self.parking_key(&open, &*open.users_key().newest()?)?;
        let parked = keys.into_iter().map(|Key { uid, generation, key: login_key }| {
            let aad = aad(&open, uid, &generation);
            let wrapped = wrap::seal(&key, PARKED, aad.as_bytes(), login_key.expose())?;
            Ok(Parked { uid, generation, wrapped })
        });
        let parked: Vec<Parked> = parked.collect::<Result<_, Error>>()?;
        Ok(principal::encode(&parked)?.to_vec())
    }

    /// Opens what was parked, for the users that are still the same; their uids. What does not open is passed over: its users
    /// unlock again.
    ///
    /// # Errors
    /// When the vault is not open, or the store cannot be read.
    pub fn restore_logins(&self, parked: &[u8]) -> Result<Vec<u32>, Error> {
        let open = self.open()?;
        let parked: Vec<Parked> = minicbor::decode(parked).unwrap_or_default();
        let keys = open.users_key().every();
        let keys = keys.iter().map(|key| self.parking_key(&open, key)).collect::<Result<Vec<_>, _>>()?;
        let mut restored = Vec::new();
        for Parked { uid, generation, wrapped } in parked {
            let principal = self.read(|tx| self.find_principal(&open, tx, uid))?;
            let Some(principal) = principal
                .filter(|principal| principal.generation == generation && principal.active && !principal.frozen)
            else {
                continue;
            };
            let aad = aad(&open, uid, &generation);
            let mut opened = keys.iter().map(|key| wrap::open(key, PARKED, aad.as_bytes(), &wrapped, self.memory()));
            if let Some(Ok(login_key)) = opened.find(Result::is_ok) {
                open.unlocked.insert(&principal, login_key);
                restored.push(uid);
            }
        }
        Ok(restored)
    }

    fn parking_key(&self, open: &OpenVault, users: &Secret) -> Result<Secret, Error> {
        Ok(kdf::derive(users, "login-parking", &open.id, self.memory())?)
    }
}

/// What was parked without the login of a uid, which needs no open vault.
///
/// # Errors
/// When memory cannot be had.
pub fn leave_out_parked(parked: &[u8], uid: u32) -> Result<Vec<u8>, Error> {
    let mut parked: Vec<Parked> = minicbor::decode(parked).unwrap_or_default();
    parked.retain(|login| login.uid != uid);
    Ok(principal::encode(&parked)?.to_vec())
}

fn aad(open: &OpenVault, uid: u32, generation: &[u8; 16]) -> Aad {
    Aad::new("login-parked").bytes(&open.id).u64(uid.into()).bytes(generation)
}
