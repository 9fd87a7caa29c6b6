//! `org.tokenvault1.Login`: a user's login-class tokens, opened and closed. For the user, and for root who logs users in.

use std::sync::Arc;

use tokenvault_core::vault::Vault;
use tokenvault_core::{Caller, Error, Secret};
use tokenvault_proto::{LOGIN_KEY_BYTES, LoginState, NoOptions, RECOVERY_CODE_BYTES, read_key, write_key, written_len};
use zbus::message::Header;
use zbus::{OwnedFd, interface};
use zeroize::Zeroizing;

use super::call::Call;
use super::desk::unnamed;
use super::{Desk, Options, Refusal, decode, encode};
use crate::caller::Kind;
use crate::journal::event;
use crate::service::Service;
use crate::value::incoming::EmptyValue;

/// Room for a recovery code typed with a space after every letter.
const TYPED_CODE_MAX: usize = 4 * written_len(RECOVERY_CODE_BYTES);

/// The interface.
pub struct Login(pub Desk);

/// Login-class tokens of a user: open while the user is logged in. Keys have 32 bytes: argon2id of the login password with the
/// salt and parameters that `State` tells. They travel by pipe only; every method takes an option dictionary last. For the user
/// itself and for root.
#[interface(name = "org.tokenvault1.Login")]
impl Login {
    /// How a user's login stands.
    ///
    /// Keys: `enrolled` b, `unlocked` b, `stale` b (the password was changed without its old one), `salt` ay, `params` s (PHC
    /// form).
    #[zbus(out_args("state"))]
    async fn state(
        &self,
        #[zbus(header)] header: Header<'_>,
        uid: u32,
        options: Options,
    ) -> Result<LoginState, Refusal> {
        self.0
            .serve(&header, Kind::Read, |call| async move {
                decode::options::<NoOptions>(options)?;
                let user = self.user(&call, uid).await?;
                Ok(encode::login(self.0.service.vault.login_state(&call.caller, &user)?))
            })
            .await
    }

    /// Makes a login key for a user who has none, wrapped under the key of the password, and unlocks it. Answers the recovery
    /// code, which is shown this once.
    ///
    /// Errors: InvalidArgs (there is a login key already), AccessDenied.
    #[zbus(out_args("recovery_code"))]
    async fn enrol(
        &self,
        #[zbus(header)] header: Header<'_>,
        uid: u32,
        key: OwnedFd,
        options: Options,
    ) -> Result<String, Refusal> {
        self.0
            .serve(&header, Kind::Write, |call| async move {
                decode::options::<NoOptions>(options)?;
                let user = self.user(&call, uid).await?;
                let key = login_key(&self.0.service, &call, key).await?;
                let code = self
                    .0
                    .service
                    .change_login(uid, move |service| service.vault.enrol_login(&call.caller, &user, key))
                    .await?;
                note_unlocked(uid);
                let mut written = String::with_capacity(written_len(RECOVERY_CODE_BYTES));
                write_key(code.expose(), |letter| written.push(letter.into()));
                Ok(written)
            })
            .await
    }

    /// Opens a user's login-class tokens, until the user has logged out everywhere, or `Lock`.
    ///
    /// Errors: AccessDenied (the key opens nothing), LimitsExceeded (too many did), InvalidArgs (there is no login key).
    async fn unlock(
        &self,
        #[zbus(header)] header: Header<'_>,
        uid: u32,
        key: OwnedFd,
        options: Options,
    ) -> Result<(), Refusal> {
        self.0
            .serve(&header, Kind::Write, |call| async move {
                decode::options::<NoOptions>(options)?;
                let user = self.user(&call, uid).await?;
                let key = login_key(&self.0.service, &call, key).await?;
                self.attempt(call.caller, user, move |vault, caller, user| vault.unlock_login(caller, user, &key))
                    .await?;
                note_unlocked(uid);
                Ok(())
            })
            .await
    }

    /// Closes a user's login-class tokens.
    async fn lock(&self, #[zbus(header)] header: Header<'_>, uid: u32, options: Options) -> Result<(), Refusal> {
        self.0
            .serve(&header, Kind::Write, |call| async move {
                decode::options::<NoOptions>(options)?;
                let user = self.user(&call, uid).await?;
                if self.0.service.change_login(uid, move |service| service.lock_login(&call.caller, user.uid)).await? {
                    log::info!(MESSAGE_ID = event::LOGIN_LOCKED, TOKENVAULT_UID = uid; "uid {uid} has its login locked");
                }
                Ok(())
            })
            .await
    }

    /// Has the key of a new password open the login. The old one goes on opening it until the new one has: whoever changes
    /// passwords may still fail after this. Unlocks the login when its user calls; when root does, it stays as it is.
    ///
    /// Errors: as `Unlock`.
    async fn set_key(
        &self,
        #[zbus(header)] header: Header<'_>,
        uid: u32,
        old: OwnedFd,
        new: OwnedFd,
        options: Options,
    ) -> Result<(), Refusal> {
        self.0
            .serve(&header, Kind::Write, |call| async move {
                decode::options::<NoOptions>(options)?;
                let user = self.user(&call, uid).await?;
                let old = login_key(&self.0.service, &call, old).await?;
                let new = login_key(&self.0.service, &call, new).await?;
                let work = move |vault: &Arc<Vault>, caller: &Caller, user: &Caller| {
                    vault.set_login_key(caller, user, old, new)
                };
                if self.attempt(call.caller, user, work).await? {
                    note_unlocked(uid);
                }
                Ok(())
            })
            .await
    }

    /// The same with the recovery code as it was shown, for a user whose old password is not known. Opens the login.
    ///
    /// Errors: as `Unlock`; InvalidArgs names the groups of the code that are mistyped.
    async fn recover(
        &self,
        #[zbus(header)] header: Header<'_>,
        uid: u32,
        code: OwnedFd,
        new: OwnedFd,
        options: Options,
    ) -> Result<(), Refusal> {
        self.0
            .serve(&header, Kind::Write, |call| async move {
                decode::options::<NoOptions>(options)?;
                let user = self.user(&call, uid).await?;
                let code = recovery_code(&self.0.service, &call, code).await?;
                let new = login_key(&self.0.service, &call, new).await?;
                self.attempt(call.caller, user, move |vault, caller, user| {
                    vault.recover_login(caller, user, code, new)
                })
                .await?;
                note_unlocked(uid);
                Ok(())
            })
            .await
    }

    /// Counts a user as logged in while somebody holds the write end of the pipe `alive`, of which nothing is read.
    ///
    /// Errors: InvalidArgs (no pipe), LimitsExceeded.
    async fn lease(
        &self,
        #[zbus(header)] header: Header<'_>,
        uid: u32,
        alive: OwnedFd,
        options: Options,
    ) -> Result<(), Refusal> {
        self.0
            .serve(&header, Kind::Write, |call| async move {
                decode::options::<NoOptions>(options)?;
                let user = self.user(&call, uid).await?;
                self.0.service.lease_login(user.uid, alive.into())
            })
            .await
    }
}

impl Login {
    /// The user that is meant, by the name the uid has now.
    async fn user(&self, call: &Call, uid: u32) -> Result<Caller, Error> {
        if uid == call.caller.uid {
            return Ok(call.caller.clone());
        }
        call.check_root()?;
        let name = self.0.service.users.name(uid).await.map_err(|error| unnamed(uid, error))?;
        Ok(Caller { uid, user: name, gids: Arc::new([]), ..call.caller.clone() })
    }

    /// Does something with a login by a key that may be the wrong one.
    async fn attempt<T: Send + 'static>(
        &self,
        caller: Caller,
        user: Caller,
        work: impl FnOnce(&Arc<Vault>, &Caller, &Caller) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let service = &self.0.service;
        let attempt = service.logins.attempts.begin(user.uid)?;
        // Whoever logs a user in has seen that the password is right. Where it is known that the login key has not followed it,
        // every login finds that again; the tries are left to the user, who may know the password before.
        let is_known =
            caller.uid != user.uid && service.vault.login_state(&caller, &user).is_ok_and(|state| state.stale);
        let outcome = service.change_login(user.uid, move |service| work(&service.vault, &caller, &user)).await;
        if is_known && outcome.is_err() {
            attempt.end_uncounted();
        } else {
            attempt.end(&outcome);
        }
        outcome
    }
}

fn note_unlocked(uid: u32) {
    log::info!(MESSAGE_ID = event::LOGIN_UNLOCKED, TOKENVAULT_UID = uid; "uid {uid} has its login unlocked");
}

async fn login_key(service: &Service, call: &Call, fd: OwnedFd) -> Result<Secret, Error> {
    let key = decode::slot_secret(service, call.caller.uid, fd, LOGIN_KEY_BYTES, EmptyValue::Refused).await?;
    if key.len() == LOGIN_KEY_BYTES {
        return Ok(key);
    }
    Err(Error::InvalidArgs(format!("a key has {LOGIN_KEY_BYTES} bytes, not {}", key.len())))
}

async fn recovery_code(service: &Service, call: &Call, fd: OwnedFd) -> Result<Secret, Error> {
    let typed = decode::slot_secret(service, call.caller.uid, fd, TYPED_CODE_MAX, EmptyValue::Refused).await?;
    let mut code = Zeroizing::new([0; RECOVERY_CODE_BYTES]);
    read_key(typed.expose(), code.as_mut())
        .map_err(|error| Error::InvalidArgs(format!("this is no recovery code: {error}")))?;
    Ok(Secret::copy_from(service.vault.memory(), code.as_ref())?)
}
