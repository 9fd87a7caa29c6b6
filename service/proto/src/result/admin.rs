//! What the interface `Admin` answers with.

use crate::dictionary::results;

results! {
    /// What a unit would be given for a credential.
    CredentialTest {
        /// The unit.
        unit: String = "unit",
        /// The id in its `LoadCredential=` line.
        id: String = "id",
        /// Whether it would be given a value.
        granted: bool = "granted",
        /// Why not; empty when it would.
        cause: String = "cause",
        /// What to do about it; empty when it would.
        next_step: String = "next-step",
        ?
        /// Number of the version it would be given.
        version: u64 = "version",
        /// Bytes of the value.
        size: u64 = "size",
        /// When the share ends, microseconds since the epoch; absent: never.
        expires: u64 = "expires",
        /// How often the share may still be used; absent: without a limit.
        uses_left: u32 = "uses-left",
    }
}

results! {
    /// A user of the vault, for administrators.
    UserInfo {
        /// The uid.
        uid: u32 = "uid",
        /// Name it had when the vault took it in.
        user: String = "user",
        /// `consumer`, `developer`, `auditor`, `admin`.
        role: String = "role",
        /// Where the role is from: `set`, `group:NAME`, `user:NAME`, `default`, `root`.
        role_from: String = "role-from",
        /// False when an administrator disabled the user.
        active: bool = "active",
        /// `ok`; `frozen` when the user was deleted, or its uid has another name now.
        state: String = "state",
        /// Its tokens.
        tokens: u64 = "tokens",
        /// Its stored bytes: values, padded, and what is kept beside them.
        bytes: u64 = "bytes",
        /// Most tokens it may have; 0: no limit.
        quota_tokens: u64 = "quota-tokens",
        /// Most bytes it may store; 0: no limit.
        quota_bytes: u64 = "quota-bytes",
        ?
        /// When it called last, to the day, microseconds since the epoch.
        last_seen: u64 = "last-seen",
    }
}

results! {
    /// A note that a user was deleted while the vault could not be told.
    DeletionInfo {
        /// Names the note.
        id: String = "id",
        /// Name of the user.
        user: String = "user",
        /// When it was left, microseconds since the epoch.
        time: u64 = "time",
        /// Whether the tokens are frozen, if there were any; not known while the vault is not open.
        done: bool = "done",
        ?
    }
}

results! {
    /// What was deleted because it had expired, or would be.
    CleanupInfo {
        /// Tokens.
        tokens: u64 = "tokens",
        /// Versions, those of the tokens included.
        versions: u64 = "versions",
        /// Shares of tokens that stay.
        shares: u64 = "shares",
        /// Offers.
        offers: u64 = "offers",
        /// Issued tokens.
        issued: u64 = "issued",
        /// Whether it was only counted.
        dry_run: bool = "dry-run",
        /// Versions and shares that stay because nobody has said that the clock is right.
        held_back: u64 = "held-back",
        /// Tokens that stay because their rows do not open where they stand.
        damaged: u64 = "damaged",
        /// Whether there is more than is deleted at once: to be called again.
        more: bool = "more",
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
