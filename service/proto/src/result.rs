//! The dictionaries that calls answer with. `--json` prints the same keys.

use std::collections::BTreeMap;

use crate::dictionary::results;

results! {
    /// A token without its value: `Get`, `Generate`, `Describe`, a `List` row.
    TokenInfo {
        /// Its name.
        name: String = "name",
        /// Whose it is, `uid:N`.
        owner: String = "owner",
        /// Number of the version described.
        version: u64 = "version",
        /// Bytes of the value.
        size: u64 = "size",
        /// `machine` or `login`.
        class: String = "class",
        /// Media type of the value; empty when none was given.
        content_type: String = "content-type",
        /// Attributes.
        attributes: BTreeMap<String, String> = "attributes",
        /// When the token was first put, microseconds since the epoch.
        created: u64 = "created",
        /// When it was last changed, microseconds since the epoch.
        updated: u64 = "updated",
        /// Whether it is shared with anyone.
        shared: bool = "shared",
        /// What the caller may do: `owner`, `read`, `write`.
        permission: String = "permission",
        /// Whether `Get` must name a purpose.
        require_purpose: bool = "require-purpose",
        ?
        /// When the version expires, microseconds since the epoch; absent: never.
        expires: u64 = "expires",
    }
}

results! {
    /// One version of a token.
    VersionInfo {
        /// Its number, from 1.
        version: u64 = "version",
        /// Bytes of the value.
        size: u64 = "size",
        /// When it was put, microseconds since the epoch.
        created: u64 = "created",
        /// Whether `Get` gives this one.
        current: bool = "current",
        ?
        /// When it expires, microseconds since the epoch; absent: never.
        expires: u64 = "expires",
    }
}

results! {
    /// Who the vault takes the caller for.
    WhoAmI {
        /// UID of the connection.
        uid: u32 = "uid",
        /// Its name.
        user: String = "user",
        /// `consumer`, `developer`, `auditor`, `admin`.
        role: String = "role",
        /// `bus` or `socket`.
        door: String = "door",
        /// False when an administrator disabled the user.
        active: bool = "active",
        /// Whether the user's login-class tokens are unlocked.
        login_unlocked: bool = "login-unlocked",
    }
}

results! {
    /// State of the vault; counts and quotas are the caller's own.
    Status {
        /// `starting`, `uninitialised`, `sealed`, `serving`, `read-only`, `quarantined`.
        state: String = "state",
        /// Why it is in that state; empty while all is well.
        reason: String = "reason",
        /// Kind of the slot that opened the vault; empty while it is not open.
        protection: String = "protection",
        /// 32 hex digits; empty while there is no vault.
        vault_id: String = "vault-id",
        /// Whether the recovery key was typed back.
        recovery_confirmed: bool = "recovery-confirmed",
        /// What a stolen disk gives away, a sentence.
        disk_theft: String = "disk-theft",
        /// What a stolen machine gives away, a sentence.
        machine_theft: String = "machine-theft",
        /// The caller's tokens.
        tokens: u64 = "tokens",
        /// The caller's stored bytes.
        bytes: u64 = "bytes",
        /// Most tokens the caller may have; 0: no limit.
        quota_tokens: u64 = "quota-tokens",
        /// Most bytes the caller may store; 0: no limit.
        quota_bytes: u64 = "quota-bytes",
        /// What to do next; empty while there is nothing to do.
        next_step: String = "next-step",
    }
}

results! {
    /// Health of the daemon's parts.
    Health {
        /// Whether all parts work.
        ok: bool = "ok",
        /// `ok`, or what is wrong with the store.
        store: String = "store",
        /// `ok`, or what is wrong with the TPM.
        tpm: String = "tpm",
        /// `ok`, `none`, or what is wrong with the bus connection.
        bus: String = "bus",
        /// `ok`, or why keys and values in use could be swapped out.
        memory: String = "memory",
        /// Microseconds since the daemon started.
        uptime: u64 = "uptime",
    }
}

results! {
    /// One slot of the vault.
    SlotInfo {
        /// Its number.
        id: u32 = "id",
        /// `tpm2`, `recovery`, `passphrase`, `host-key`.
        kind: String = "kind",
        /// When it was added, microseconds since the epoch.
        created: u64 = "created",
        ?
        /// Salt of a passphrase.
        salt: Vec<u8> = "salt",
        /// Parameters of a passphrase, in PHC form.
        params: String = "params",
    }
}
