//! `org.tokenvault1.Admin`: slots, sealing, users, credentials, audit log, configuration. For root.

use std::sync::Arc;

use tokenvault_core::Error;
use tokenvault_core::slot::SlotKind;
use tokenvault_core::token::CleanupRequest;
use tokenvault_core::unit::UnitName;
use tokenvault_core::vault::{ClockWord, Event};
use tokenvault_proto::{
    AddSlotOptions, AuditInfo, CleanupInfo, CleanupOptions, CredentialTest, DeletionInfo, ExpiringInfo, NoOptions,
    RemoveSlotOptions, SlotInfo, UnsealOptions, UserInfo,
};
use zbus::message::Header;
use zbus::{OwnedFd, interface};

use super::desk::blocking;
use super::{Desk, Options, Refusal, audit, backup, decode, encode, expiring, rotate, slots, users, verify};
use crate::caller::Kind;
use crate::credential;
use crate::reload::reload;
use crate::value::incoming::EmptyValue;

/// Deletions after which a cleanup is answered, and is to be called again: seconds of work, where clients wait two minutes.
const CLEANED_AT_ONCE: u64 = 8_192;

/// The interface.
pub struct Admin(pub Desk);

/// Administration of the vault. Secrets travel by pipe only; every method takes an option dictionary last.
#[interface(name = "org.tokenvault1.Admin")]
impl Admin {
    /// Lists the ways of opening the vault; also while it is sealed, because a passphrase's salt is needed then.
    #[zbus(out_args("slots"))]
    async fn slots(&self, #[zbus(header)] header: Header<'_>, options: Options) -> Result<Vec<SlotInfo>, Refusal> {
        self.0
            .serve_admin(&header, Kind::Read, "Slots", |_call| async move {
                decode::options::<NoOptions>(options)?;
                Ok(self.0.service.vault.slots()?.into_iter().map(encode::slot).collect())
            })
            .await
    }

    /// Adds a slot and answers its number; the first one makes the vault.
    ///
    /// Kinds and their secrets: `tpm2` and `host-key`: an empty pipe. `recovery`: a 32-byte X25519 public key. `passphrase`: a
    /// 32-byte key derived with argon2id, with the options `salt` ay and `params` s (PHC form) it was derived with.
    ///
    /// Errors: NoTpm, WrongTpm, TpmLockout, InvalidArgs, AccessDenied (`host-key` where the configuration does not allow it).
    #[zbus(out_args("id"))]
    async fn add_slot(
        &self,
        #[zbus(header)] header: Header<'_>,
        kind: &str,
        secret: OwnedFd,
        options: Options,
    ) -> Result<u32, Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "AddSlot", |call| async move {
                let options = decode::options::<AddSlotOptions>(options)?;
                let kind = SlotKind::parse(kind).ok_or_else(|| {
                    Error::InvalidArgs("kind must be 'tpm2', 'recovery', 'passphrase' or 'host-key'".into())
                })?;
                let secret = slots::secret(&self.0.service, &call, secret, EmptyValue::Permitted).await?;
                let service = Arc::clone(&self.0.service);
                blocking(move || slots::add(&service, &call.caller, kind, &secret, &options)).await
            })
            .await
    }

    /// Removes a slot. Options: `force` b: also the last one that does not need the TPM. The last of all stays.
    async fn remove_slot(&self, #[zbus(header)] header: Header<'_>, id: u32, options: Options) -> Result<(), Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "RemoveSlot", |call| async move {
                let options = decode::options::<RemoveSlotOptions>(options)?;
                let service = Arc::clone(&self.0.service);
                blocking(move || service.remove_slot(&call.caller, id, options.force.unwrap_or(false))).await
            })
            .await
    }

    /// Seals the vault until it is unsealed or the daemon starts again.
    async fn seal(&self, #[zbus(header)] header: Header<'_>, options: Options) -> Result<(), Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "Seal", |call| async move {
                decode::options::<NoOptions>(options)?;
                let service = Arc::clone(&self.0.service);
                blocking(move || service.seal(&call.caller)).await
            })
            .await
    }

    /// Begins a lockdown (`on`), or ends it: no value is given out, by `Get`, `Redeem` or to a unit, whoever asks; callers get
    /// `Unavailable`. Everything else goes on: what is stored is listed, shared, taken back, replaced and deleted, and what was issued
    /// is validated and revoked; what is generated is given to who has it made. It stays over restarts.
    ///
    /// Errors: Sealed, Unavailable (it could not be written down, and nothing has changed).
    async fn lockdown(&self, #[zbus(header)] header: Header<'_>, on: bool, options: Options) -> Result<(), Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "Lockdown", |call| async move {
                decode::options::<NoOptions>(options)?;
                let vault = Arc::clone(&self.0.service.vault);
                blocking(move || vault.set_lockdown(&call.caller, on)).await
            })
            .await
    }

    /// Opens the vault with a private recovery key or a derived passphrase, 32 bytes; with an empty pipe, with the slots that
    /// need nobody. Options: `slot` u: only this one.
    ///
    /// Errors: NoTpm, WrongTpm, TpmLockout, PolicyMismatch, DamagedSlot, AccessDenied (a secret that opens no slot).
    async fn unseal(
        &self,
        #[zbus(header)] header: Header<'_>,
        secret: OwnedFd,
        options: Options,
    ) -> Result<(), Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "Unseal", |call| async move {
                let options = decode::options::<UnsealOptions>(options)?;
                let secret = slots::secret(&self.0.service, &call, secret, EmptyValue::Permitted).await?;
                let service = Arc::clone(&self.0.service);
                blocking(move || {
                    if secret.is_empty() {
                        return service.unseal_asked(&call.caller, options.slot);
                    }
                    service.unseal_with(&call.caller, &secret, options.slot)
                })
                .await
            })
            .await
    }

    /// Shows that somebody has the private recovery key, 32 bytes: until then every status says that nobody does.
    async fn confirm_recovery(
        &self,
        #[zbus(header)] header: Header<'_>,
        key: OwnedFd,
        options: Options,
    ) -> Result<(), Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "ConfirmRecovery", |call| async move {
                decode::options::<NoOptions>(options)?;
                let key = slots::secret(&self.0.service, &call, key, EmptyValue::Refused).await?;
                let vault = Arc::clone(&self.0.service.vault);
                blocking(move || vault.confirm_recovery(&call.caller, &key)).await
            })
            .await
    }

    /// Opens a vault that is quarantined with the private recovery key, 32 bytes, and takes its store as it is: rows, slots, the end of
    /// the audit log, and the TPM's counter go on from there; answers how many tokens it has. Where the slots were changed by somebody
    /// else, only the recovery slot is left.
    ///
    /// Errors: InvalidArgs for a vault that is not quarantined, AccessDenied for another key, Quarantined where the store cannot be
    /// read.
    #[zbus(out_args("tokens"))]
    async fn recover(
        &self,
        #[zbus(header)] header: Header<'_>,
        recovery: OwnedFd,
        options: Options,
    ) -> Result<u64, Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "Recover", |call| async move {
                decode::options::<NoOptions>(options)?;
                let key = slots::secret(&self.0.service, &call, recovery, EmptyValue::Refused).await?;
                let service = Arc::clone(&self.0.service);
                blocking(move || service.recover(&call.caller, &key)).await
            })
            .await
    }

    /// Says what a unit with `LoadCredential=ID:` and the socket of the vault in its file would be given now, and why not. The
    /// value stays where it is, and no use of a share is counted.
    ///
    /// Errors: InvalidArgs for what is no name of a service.
    #[zbus(out_args("outcome"))]
    async fn test_credential(
        &self,
        #[zbus(header)] header: Header<'_>,
        unit: &str,
        id: &str,
        options: Options,
    ) -> Result<CredentialTest, Refusal> {
        self.0
            .serve_admin(&header, Kind::Read, "TestCredential", |_call| async move {
                decode::options::<NoOptions>(options)?;
                let name = UnitName::parse(unit)?;
                let outcome = credential::test(&self.0.service.vault, &name, id);
                Ok(encode::credential_test(unit, id, outcome))
            })
            .await
    }

    /// Lists records of the audit log in the order they were written, a page at a time; also for role `auditor`. What does not
    /// apply to one is empty or 0.
    ///
    /// Filter, of which all must hold: `owner` s and `name` s of the token, also a name it was given. `uid` u: who asked.
    /// `operation` s: the method. `outcome` s: `ok`, `denied`, `not-found`, `failed`. `since` t and `until` t. `limit` u: most rows
    /// of the page (100, at most 1000); it has fewer where these would be over 256 KiB, and where few of 4096 records are meant:
    /// also none. `newest-first` b. `after` s: `next` of the page before; an empty `next` is the end.
    ///
    /// Keys: `seq` t, `time` t, `uid` u, `operation` s, `owner` s, `name` s, `version` t, `outcome` s, `count` t (equal reads within
    /// a second and refusals within a minute are one record and one with the count of the others), `door` s, `app` s, `purpose` s,
    /// `pid` u, `exe` s (empty: the kernel tells it to root alone) and `unit` s; `renamed-to` s and `grantee` s where there are any.
    /// A record that does not open where it stands has the outcome `damaged` and is in every list. `PruneAudit` says that records
    /// were let go, to which (`version`) and how many (`count`).
    #[zbus(out_args("records", "next"))]
    async fn audit(
        &self,
        #[zbus(header)] header: Header<'_>,
        filter: Options,
    ) -> Result<(Vec<AuditInfo>, String), Refusal> {
        let desk = &self.0;
        desk.serve_auditor(&header, Kind::Read, "Audit", |call| audit::audit(desk, call, filter)).await
    }

    /// Begins to walk the chain of the audit log, and answers the number of the operation, see `Manager.Operation`. Options: `seq` t
    /// and `chain` s of a record as the journal tells them: the log is held against it, so that a cut-off end is found too.
    ///
    /// Its result has `records` t, the numbers `first` t and `last` t, and `chain` s of the last one. A chain that is broken fails
    /// with `Quarantined`, and with `first-bad` t in its result: the first record that was changed, dropped or moved.
    #[zbus(out_args("operation"))]
    async fn verify_audit(&self, #[zbus(header)] header: Header<'_>, options: Options) -> Result<u64, Refusal> {
        let desk = &self.0;
        desk.serve_admin(&header, Kind::Read, "VerifyAudit", |call| audit::verify(desk, call, options)).await
    }

    /// Begins to verify the store, and answers the number of the operation, see `Manager.Operation`: its slots, its indexes, that no row was
    /// removed, added or put back by somebody else than the vault, and the chain of the audit log.
    ///
    /// Its result has `rows` t and `records` t, as many as were verified. A store that is not as the vault wrote it fails with
    /// `Quarantined`, and is out of service from then on unless it is the audit log: of that the result has `first-bad` t.
    #[zbus(out_args("operation"))]
    async fn verify(&self, #[zbus(header)] header: Header<'_>, options: Options) -> Result<u64, Refusal> {
        let desk = &self.0;
        desk.serve_admin(&header, Kind::Read, "Verify", |call| verify::begin(desk, call, options)).await
    }

    /// Begins to draw a key anew, and answers the number of the operation, see `Manager.Operation`. What is read and written meanwhile goes
    /// on; what ended before all was done goes on by itself when the vault is opened the next time, and is finished first when another one
    /// is asked for.
    ///
    /// `what`: `slot`, the key of one slot of kind `tpm2` or `recovery` (option `slot` u); the recovery key stays the same. `vk`, the vault
    /// key, which wraps all others. `keyring`, those that it wraps: they seal the records of users, the wrappers of login keys, the audit
    /// log, the keys of slots and what is kept of issued tokens; those by which rows are found, and by which removed and old rows are
    /// noticed, stay. `user`, the key that seals what a user has (option `uid` u); with the option `reencrypt` b, values get new keys too.
    ///
    /// The result of `user` has `rows` t (tokens, and what was issued), `values` t that were encrypted anew, and `locked` t of class
    /// `login` that were not, because their owner is not logged in. That of `keyring` has `rows` t, records that were sealed anew, and
    /// `kept` t, keys of before that something still needs: issued tokens, audit records, logins.
    ///
    /// Errors: InvalidArgs, Sealed. The operation fails with InvalidArgs (no such slot or user; a slot of another kind), NoTpm, WrongTpm,
    /// TpmLockout, PolicyMismatch or DamagedSlot (of a slot), with Unavailable while another rotation of the same key is under way, tokens
    /// change faster than they are encrypted, requests go on that had begun before the vault was sealed, or too many keys of before are
    /// needed, with LimitsExceeded when the disk is full, and with Quarantined where something does not open: both keys are kept then.
    #[zbus(out_args("operation"))]
    async fn rotate(&self, #[zbus(header)] header: Header<'_>, what: &str, options: Options) -> Result<u64, Refusal> {
        let desk = &self.0;
        desk.serve_admin(&header, Kind::Write, "Rotate", |call| rotate::begin(desk, call, what, options)).await
    }

    /// Begins to make a backup, and answers the number of the operation, see `Manager.Operation`: everything in the store at one moment
    /// is written to `out`, the write end of a pipe, encrypted to the recovery keys of the vault. Reads and writes go on; what is deleted
    /// meanwhile stays in the store's log until it has ended. Whoever reads keeps what came only when the operation is `done`.
    ///
    /// Its result has `rows` t, `tokens` t and `bytes` t, the length of the stream.
    ///
    /// Errors: Unavailable (no recovery key: nobody could open it), InvalidArgs (no pipe), Sealed. The operation fails with Timeout when
    /// nothing is read for a minute, or less than 1 MiB a minute on an average, with Unavailable when the disk becomes full meanwhile,
    /// and with Sealed when the vault is sealed.
    #[zbus(out_args("operation"))]
    async fn backup(&self, #[zbus(header)] header: Header<'_>, out: OwnedFd, options: Options) -> Result<u64, Refusal> {
        let desk = &self.0;
        desk.serve_admin(&header, Kind::Write, "Backup", |call| backup::begin(desk, call, out, options)).await
    }

    /// Begins to restore a backup, and answers the number of the operation, see `Manager.Operation`: `backup` is the read end of a pipe
    /// it comes through, `recovery` the private recovery key, 32 bytes. All of it is read and verified before anything changes; then it
    /// takes the place of the store as a whole and is sealed to this machine. Also where there is no vault yet. Options: `replace` b:
    /// also where the vault holds tokens or had users. A copy of the store is kept wherever there was a vault. `unvouched` b: also a
    /// backup that nobody vouches for. A vault that is shown its private recovery key keeps, and gives its backups, the word that its
    /// keys are those; whoever knows the public key alone could have made a backup without it.
    ///
    /// Its result has `rows` t, `tokens` t, `bytes` t and `made` t, the time the backup was begun; `kept` s, the file the store before is
    /// kept in; `slot` s, the slot that opens the vault unattended, and `no-tpm` s, why the TPM does not; `no-anchor` s, why the TPM
    /// could not be asked how far it has counted for this vault: a start before it answers may need `Recover`. A backup that is damaged
    /// fails with InvalidArgs, which names the place, one of another vault than that in which this recovery key was confirmed with
    /// InvalidArgs too, another recovery key and one that nobody vouches for with AccessDenied, and nothing has changed.
    ///
    /// Errors: AccessDenied (the vault holds tokens or had users), InvalidArgs (no pipe), Quarantined.
    #[zbus(out_args("operation"))]
    async fn restore(
        &self,
        #[zbus(header)] header: Header<'_>,
        backup: OwnedFd,
        recovery: OwnedFd,
        options: Options,
    ) -> Result<u64, Refusal> {
        let desk = &self.0;
        desk.serve_admin(&header, Kind::Write, "Restore", |call| {
            backup::restore(desk, call, (backup, recovery), options)
        })
        .await
    }

    /// Deletes what expired a week ago or more: tokens, versions, shares; answers how much.
    ///
    /// Options: `owner` s: only of this one. `dry-run` b: only count. `clock-is-right` b: an administrator says that the wall
    /// clock is right; `clock-is-synchronised` b: something keeps it so, which moves no time back. What has expired is deleted
    /// by a clock that is known to have been right, and `held-back` counts what stays for want of one. `more` b says that there
    /// is more than is deleted at once: to be called again.
    #[zbus(out_args("deleted"))]
    async fn cleanup(&self, #[zbus(header)] header: Header<'_>, options: Options) -> Result<CleanupInfo, Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "Cleanup", |call| async move {
                let options = decode::options::<CleanupOptions>(options)?;
                let dry_run = options.dry_run.unwrap_or(false);
                let clock_is_right = match (options.clock_is_right, options.clock_is_synchronised) {
                    (Some(true), _) => Some(ClockWord::Administrator),
                    (_, Some(true)) => Some(ClockWord::Synchronised),
                    _ => None,
                };
                let owner = match options.owner.as_deref() {
                    None => None,
                    Some(text) => {
                        let owner = decode::owner(&self.0.service.users, call.caller.uid, Some(text)).await?;
                        let unknown = || Error::InvalidArgs("option 'owner' names a user that does not exist".into());
                        Some(owner.uid(&call.caller).ok_or_else(unknown)?)
                    }
                };
                let vault = Arc::clone(&self.0.service.vault);
                let request = CleanupRequest { owner, dry_run, clock_is_right, most: Some(CLEANED_AT_ONCE) };
                let report = blocking(move || vault.cleanup(&call.caller, request)).await?;
                Ok(encode::cleanup(report, dry_run))
            })
            .await
    }

    /// Lists tokens of all owners that expire soon, or have expired, a page at a time: those for which a moment that lies as long
    /// before as `expiring-before` in the configuration names, or the end itself, came within a time.
    ///
    /// Filter: `since` t (0) and `until` t (now): after the one, and not after the other. Who asks from time to time gives the
    /// `until` of the last time as `since`, and is told of each once. `after` s: `next` of the page before; an empty `next` is
    /// the end. Keys: `name` s, `owner` s, `version` t, `expires` t.
    #[zbus(out_args("tokens", "next"))]
    async fn expiring(
        &self,
        #[zbus(header)] header: Header<'_>,
        filter: Options,
    ) -> Result<(Vec<ExpiringInfo>, String), Refusal> {
        let desk = &self.0;
        desk.serve_admin(&header, Kind::Read, "Expiring", |call| expiring::list(desk, call, filter)).await
    }

    /// Lists the users that have stored something or were taken in, by uid.
    ///
    /// `state` is `frozen` where the user was deleted, or its uid now has another name or none in the user database: its tokens
    /// are kept, and nobody is given them, until `AdoptUser` or `PurgeUser`. `role-from` is where the role is from: `set` by
    /// `SetUser`, `group:NAME` or `user:NAME` of the configuration, `default`, `root`.
    #[zbus(out_args("users"))]
    async fn users(&self, #[zbus(header)] header: Header<'_>, options: Options) -> Result<Vec<UserInfo>, Refusal> {
        self.0
            .serve_admin(&header, Kind::Read, "Users", |call| async move { users::list(&self.0, &call, options).await })
            .await
    }

    /// Changes what a user may do, from its next call on; takes in a user of the machine whom the vault does not know yet.
    ///
    /// Options: `role` s (`admin`, `developer`, `consumer`, `auditor`; `default`: as configured), `active` b, `quota-tokens` t,
    /// `quota-bytes` t (0: no limit, the highest number: as configured).
    ///
    /// Errors: InvalidArgs (no such user; a role or activity for root).
    async fn set_user(&self, #[zbus(header)] header: Header<'_>, uid: u32, options: Options) -> Result<(), Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "SetUser", |call| async move {
                users::set(&self.0, call, uid, options).await
            })
            .await
    }

    /// Freezes the tokens of a user who was deleted, until `AdoptUser` or `PurgeUser`: whoever has the uid next gets none of
    /// them, whatever the name.
    ///
    /// Errors: InvalidArgs (the vault has nothing of that uid; root).
    async fn freeze_user(&self, #[zbus(header)] header: Header<'_>, uid: u32, options: Options) -> Result<(), Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "FreezeUser", |call| async move {
                users::freeze(&self.0, call, uid, options).await
            })
            .await
    }

    /// Lists the notes that `userdel` left because it could not have the tokens of a user frozen; also while the vault is sealed.
    /// They are heeded before the vault serves anybody, and by `Cleanup`.
    ///
    /// Keys: `id` s, `user` s, `time` t (when it was left), `done` b (whether it was heeded: what the user had, if anything, is
    /// frozen, and the note can go; not known while the vault is not open).
    #[zbus(out_args("notes"))]
    async fn deletions(
        &self,
        #[zbus(header)] header: Header<'_>,
        options: Options,
    ) -> Result<Vec<DeletionInfo>, Refusal> {
        let desk = &self.0;
        desk.serve_admin(&header, Kind::Read, "Deletions", |call| async move {
            users::deletions(desk, &call, options).await
        })
        .await
    }

    /// Deletes everything of a user: tokens, versions, shares, login key, role and quota.
    ///
    /// Errors: InvalidArgs (the vault has nothing of that uid; root).
    async fn purge_user(&self, #[zbus(header)] header: Header<'_>, uid: u32, options: Options) -> Result<(), Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "PurgeUser", |call| async move {
                users::purge(&self.0, call, uid, options).await
            })
            .await
    }

    /// Gives the tokens of a uid to the user who has it now, or to another one who has none. Options: `to-uid` u.
    ///
    /// Errors: InvalidArgs (the vault has nothing of that uid; no such user; a user with tokens of its own; root).
    async fn adopt_user(&self, #[zbus(header)] header: Header<'_>, uid: u32, options: Options) -> Result<(), Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "AdoptUser", |call| async move {
                users::adopt(&self.0, call, uid, options).await
            })
            .await
    }

    /// Reads the configuration again; a bad one changes nothing.
    async fn reload(&self, #[zbus(header)] header: Header<'_>, options: Options) -> Result<(), Refusal> {
        self.0
            .serve_admin(&header, Kind::Write, "Reload", |call| async move {
                decode::options::<NoOptions>(options)?;
                let service = Arc::clone(&self.0.service);
                reload(&service).await.map_err(|error| Error::InvalidArgs(error.to_string()))?;
                service.vault.note_done(&Event::new(&call.caller, "Reload"));
                Ok(())
            })
            .await
    }
}
