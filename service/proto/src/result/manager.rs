//! What the interface `Manager` answers with.

use crate::dictionary::results;

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
        /// Whether no value leaves the vault, see `Admin.Lockdown`; not known while it is not open.
        lockdown: bool = "lockdown",
        /// How the store stands to the counter in the TPM by which an old copy is noticed: `held`, `pending` (it is tried again),
        /// `none`.
        anchor: String = "anchor",
        /// How often that counter was raised; it wears the TPM.
        anchor_raises: u64 = "anchor-raises",
        /// What a stolen disk gives away, a sentence.
        disk_theft: String = "disk-theft",
        /// What a stolen machine gives away, a sentence.
        machine_theft: String = "machine-theft",
        /// The caller's tokens.
        tokens: u64 = "tokens",
        /// The caller's stored bytes: values, padded, and what is kept beside them.
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
        /// `ok`, `unconfirmed`, or how the wall clock differs from the time that has certainly passed.
        clock: String = "clock",
        /// `ok`, or which groups of the configuration are not known.
        groups: String = "groups",
        /// Microseconds since the daemon started.
        uptime: u64 = "uptime",
    }
}
