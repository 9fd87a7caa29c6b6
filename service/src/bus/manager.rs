//! `org.tokenvault1.Manager`: state, identity, health. Answers in every state of the vault.

use std::sync::Arc;

use tokenvault_core::hex;
use tokenvault_core::policy::DISABLED;
use tokenvault_core::vault::{State, Vault, VaultId};
use tokenvault_core::{Caller, Error};
use tokenvault_proto::{self as proto, CLOCK_HOLDS_BACK, CLOCK_UNCONFIRMED, NoOptions};
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, interface};

use super::desk::{blocking, in_turn};
use super::subscriptions::{self, Line};
use super::{Desk, Options, Refusal, decode, encode, trace};
use crate::caller::Kind;
use crate::metrics;
use crate::service::Service;

/// The interface.
pub struct Manager(pub Desk);

/// State of the vault, the caller's identity, and the daemon's health; for any local caller.
#[interface(name = "org.tokenvault1.Manager")]
impl Manager {
    /// Version of the daemon.
    #[zbus(property(emits_changed_signal = "false"))]
    async fn version(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<String, Refusal> {
        self.property("Version", header, |_| env!("CARGO_PKG_VERSION").to_owned()).await
    }

    /// State of the vault: starting, uninitialised, sealed, serving, read-only, quarantined.
    #[zbus(property(emits_changed_signal = "false"))]
    async fn state(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<String, Refusal> {
        self.property("State", header, |vault| vault.state().as_str().to_owned()).await
    }

    /// Kind of the slot that opened the vault; empty while it is not open.
    #[zbus(property(emits_changed_signal = "false"))]
    async fn protection(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<String, Refusal> {
        let protection = |vault: &Vault| vault.protection().map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        self.property("Protection", header, protection).await
    }

    /// Identity of the vault, 32 hex digits; empty while there is none.
    #[zbus(property(emits_changed_signal = "false"))]
    async fn vault_id(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<String, Refusal> {
        self.property("VaultId", header, |vault| vault_id(vault.id())).await
    }

    /// State of the vault with its reason and the next step; counts and quotas are the caller's own.
    ///
    /// Keys: `state` s, `reason` s, `protection` s, `vault-id` s, `recovery-confirmed` b, `lockdown` b (no value leaves the vault; false
    /// while it is not open), `anchor` s (`held`, `pending`, `none`: whether the TPM would notice an old copy of the store),
    /// `anchor-raises` t, `disk-theft` s, `machine-theft` s, `tokens` t, `bytes` t, `quota-tokens` t, `quota-bytes` t (0: no limit), `next-step` s.
    #[zbus(out_args("status"))]
    async fn status(&self, #[zbus(header)] header: Header<'_>, options: Options) -> Result<proto::Status, Refusal> {
        self.0
            .serve(&header, Kind::Read, |call| async move {
                decode::options::<NoOptions>(options)?;
                let vault = &self.0.service.vault;
                let mut status = vault.status();
                let [tokens, bytes, quota_tokens, quota_bytes] = vault.usage(&call.caller).unwrap_or_default();
                if let Some((reason, next_step)) = own_trouble(vault, &call.caller) {
                    (status.reason, status.next_step) = (reason, next_step);
                }
                let anchor = vault.anchor();
                let (disk_theft, machine_theft) =
                    status.theft.map(|theft| (theft.disk_theft, theft.machine_theft)).unwrap_or_default();
                Ok(proto::Status {
                    state: status.state.as_str().to_owned(),
                    reason: status.reason,
                    protection: status.protection.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
                    vault_id: vault_id(status.vault_id),
                    recovery_confirmed: status.recovery_confirmed,
                    lockdown: status.protection.is_some() && vault.is_locked_down(),
                    anchor: anchor.state.as_str().to_owned(),
                    anchor_raises: anchor.raises,
                    disk_theft: disk_theft.to_owned(),
                    machine_theft: machine_theft.to_owned(),
                    tokens,
                    bytes,
                    quota_tokens,
                    quota_bytes,
                    next_step: status.next_step,
                })
            })
            .await
    }

    /// Who the vault takes the caller for.
    ///
    /// Keys: `uid` u, `user` s, `role` s, `door` s (`bus`, `socket`), `active` b, `login-unlocked` b.
    #[zbus(name = "WhoAmI", out_args("identity"))]
    async fn who_am_i(&self, #[zbus(header)] header: Header<'_>, options: Options) -> Result<proto::WhoAmI, Refusal> {
        self.0
            .serve(&header, Kind::Read, |call| async move {
                decode::options::<NoOptions>(options)?;
                let vault = &self.0.service.vault;
                // While the vault is not open nobody's record can be read: the role is the one of a stranger.
                let (role, active) = match vault.standing(&call.caller) {
                    Ok(standing) => (standing.role, standing.active),
                    Err(_) if call.caller.is_root() => (tokenvault_core::policy::Role::Admin, true),
                    Err(Error::AccessDenied(_)) => (vault.settings().default_role, false),
                    Err(_) => (vault.settings().default_role, true),
                };
                Ok(proto::WhoAmI {
                    uid: call.caller.uid,
                    user: call.caller.user.to_string(),
                    role: role.as_str().to_owned(),
                    door: call.caller.door.as_str().to_owned(),
                    active,
                    login_unlocked: vault.is_login_unlocked(&call.caller),
                })
            })
            .await
    }

    /// Health of the daemon's parts. Keys: `ok` b, `store` s, `tpm` s, `bus` s, `memory` s, `uptime` t (microseconds); and what
    /// `ok` does not depend on: `clock` s (`ok`; `unconfirmed` while nobody has said that it is right; to root also
    /// `unconfirmed, and what has expired stays`; or how it is wrong), `groups` s (`ok`, or which groups of the configuration are
    /// not known).
    #[zbus(out_args("health"))]
    async fn health(&self, #[zbus(header)] header: Header<'_>, options: Options) -> Result<proto::Health, Refusal> {
        self.0
            .serve(&header, Kind::Read, |call| async move {
                decode::options::<NoOptions>(options)?;
                let service = &self.0.service;
                let status = service.vault.status();
                let store = match status.state {
                    State::ReadOnly | State::Quarantined => status.reason,
                    _ => "ok".to_owned(),
                };
                let (tpm, bus, memory) = (service.tpm_health(), service.bus_health(), service.memory_health());
                let well = |part: &str| part == "ok" || part == "none";
                let ok = status.state == State::Serving && well(&store) && well(&bus) && well(&memory);
                let uptime = u64::try_from(service.started.elapsed().as_micros()).unwrap_or(u64::MAX);
                let groups = service.groups().health();
                let clock = clock_health(service, &call.caller).await?;
                Ok(proto::Health { ok, store, tpm, bus, memory, clock, groups, uptime })
            })
            .await
    }

    /// What the daemon has done so far, in the text format of OpenMetrics. Administrators are told of all calls, of the store and the
    /// TPM; everybody else of the vault's state and of what is their own. No names and no values are in it.
    #[zbus(out_args("text"))]
    async fn metrics(&self, #[zbus(header)] header: Header<'_>, options: Options) -> Result<String, Refusal> {
        self.0
            .serve(&header, Kind::Read, |call| async move {
                decode::options::<NoOptions>(options)?;
                let (service, uid) = (Arc::clone(&self.0.service), call.caller.uid);
                let reader = if call.is_administrator(&service.vault) {
                    metrics::Reader::Administrator
                } else {
                    metrics::Reader::User(call.caller)
                };
                let text = in_turn(&self.0.service, uid, move || Ok(metrics::page(&service, &reader))).await?;
                self.0.count_reply(uid, text.len())?;
                Ok(text)
            })
            .await
    }

    /// How work stands that an administrator began (`VerifyAudit`, `Verify`, `Rotate`, `Backup`, `Restore`), for who began it and for root.
    ///
    /// Keys: `id` t, `operation` s (the method), `done` t and `total` t (steps; a total of 0 is not known), `state` s (`running`,
    /// `done`, `failed`, `cancelled`), `error` s and `error-name` s (where it failed), `result` a{sv} (what it found). What came of
    /// it is kept for an hour, of the last 64.
    ///
    /// Errors: NotFound.
    #[zbus(out_args("operation"))]
    async fn operation(
        &self,
        #[zbus(header)] header: Header<'_>,
        id: u64,
        options: Options,
    ) -> Result<proto::OperationInfo, Refusal> {
        self.0
            .serve(&header, Kind::Read, |call| async move {
                decode::options::<NoOptions>(options)?;
                let view = self.0.service.operations.view(call.caller.uid, id);
                view.map(encode::operation).ok_or(Error::NoOperation(id))
            })
            .await
    }

    /// Has the caller's connection told, by signals to it alone, what becomes of the tokens that it may see, until it
    /// unsubscribes or is closed. What happens while the vault is being asked is told; what happened before is not: subscribe
    /// first, then list.
    ///
    /// At most 128 signals are sent ahead: to subscribe again says that those so far were read. Who does not is told by a
    /// `TokenChanged` with the change `lost` that something was not told, and that the subscription has ended; subscribe, and
    /// list again. So it is where its user could not be told for a while, since an administrator had disabled or frozen it, or was
    /// just changing it. On the bus a user has at most 4 subscriptions.
    ///
    /// Errors: AccessDenied for who is disabled or frozen; LimitsExceeded, also for a process in more than 1024 groups;
    /// Timeout, Unavailable.
    async fn subscribe(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        options: Options,
    ) -> Result<(), Refusal> {
        let (desk, line) = (&self.0, Line::back(&header, connection));
        desk.serve(&header, Kind::Read, |call| subscriptions::subscribe(desk, call, line, options)).await
    }

    /// Ends the subscription of the caller's connection, if there is one.
    async fn unsubscribe(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        options: Options,
    ) -> Result<(), Refusal> {
        let (desk, line) = (&self.0, Line::back(&header, connection));
        desk.serve(&header, Kind::Read, |_call| async move { subscriptions::unsubscribe(desk, &line, options) }).await
    }

    /// A token has changed; told after that is durable, to subscribers who may list it: its owner, of the machine's tokens root,
    /// and who may read it by a share. Of one token in the order in which it happened.
    ///
    /// `version` is the current one after it; 0: there is no token of that name any more. `change`: `put`, `generated`,
    /// `rolled-back`, `annotated`, `version-deleted`; `deleted`, `expired`; `renamed`, first with the name that it had and
    /// version 0, then with the one that it has. With an empty name, of all tokens of the owner: `adopted` when another owner
    /// has them now, or this one has another's; `frozen` or `disabled` when nobody is given them any more, and `enabled` when
    /// they are again; `purged`. With neither owner nor name: `lost`.
    #[zbus(signal)]
    pub(super) async fn token_changed(
        emitter: &SignalEmitter<'_>,
        owner: &str,
        name: &str,
        change: &str,
        version: u64,
    ) -> zbus::Result<()>;

    /// A token expires soon: once for each time that `expiring-before` in the configuration names, and for each version. It is
    /// told to whom `TokenChanged` is.
    #[zbus(signal)]
    pub(super) async fn token_expiring(
        emitter: &SignalEmitter<'_>,
        owner: &str,
        name: &str,
        expires: u64,
    ) -> zbus::Result<()>;

    /// A token was shared with the subscriber, by its owner.
    #[zbus(signal)]
    pub(super) async fn token_shared(emitter: &SignalEmitter<'_>, owner: &str, name: &str) -> zbus::Result<()>;

    /// Long work has begun, gone on or ended; told to who began it and to root, as `Operation` tells. Keys: those of it.
    #[zbus(signal)]
    pub(super) async fn operation_changed(
        emitter: &SignalEmitter<'_>,
        id: u64,
        operation: &proto::OperationInfo,
    ) -> zbus::Result<()>;

    /// Cancels such work: it ends soon, or has ended already. Errors: NotFound.
    async fn cancel(&self, #[zbus(header)] header: Header<'_>, id: u64, options: Options) -> Result<(), Refusal> {
        self.0
            .serve(&header, Kind::Write, |call| async move {
                decode::options::<NoOptions>(options)?;
                let is_there = self.0.service.operations.cancel(call.caller.uid, id);
                is_there.then_some(()).ok_or(Error::NoOperation(id))
            })
            .await
    }
}

impl Manager {
    /// A property is a call like any other; one that is read without a caller has nobody to refuse.
    async fn property(
        &self,
        name: &str,
        header: Option<Header<'_>>,
        look: impl FnOnce(&Vault) -> String + Send,
    ) -> Result<String, Refusal> {
        let vault = Arc::clone(&self.0.service.vault);
        match header {
            Some(header) => {
                trace::note_property(&self.0, name);
                self.0.serve(&header, Kind::Read, |_call| async move { Ok(look(&vault)) }).await
            }
            None => Ok(look(&vault)),
        }
    }
}

/// What is said of the clock. What becomes of things of all owners, root alone is told.
async fn clock_health(service: &Service, caller: &Caller) -> Result<String, Error> {
    let clock = service.clock_health();
    if !caller.is_root() || !matches!(clock.as_str(), "ok" | CLOCK_UNCONFIRMED) {
        return Ok(clock);
    }
    let vault = Arc::clone(&service.vault);
    let holds_back = blocking(move || vault.holds_expired_back()).await.unwrap_or(false);
    Ok(if holds_back { CLOCK_HOLDS_BACK.to_owned() } else { clock })
}

/// What keeps the caller from an open vault, and what to do about it: nearer to him than what the vault lacks.
fn own_trouble(vault: &Vault, caller: &Caller) -> Option<(String, String)> {
    let told = match vault.standing(caller) {
        Err(Error::AccessDenied(text)) => text,
        Ok(standing) if !standing.active => DISABLED.to_owned(),
        _ => return None,
    };
    let (reason, next_step) = told.split_once("; ").unwrap_or((&told, ""));
    Some((reason.to_owned(), next_step.to_owned()))
}

fn vault_id(id: Option<VaultId>) -> String {
    id.map(|id| hex::encode(&id)).unwrap_or_default()
}
