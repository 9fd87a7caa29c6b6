//! The audit log: filters and records, and the work of verifying it.

use crate::dictionary::{options, results};
use crate::findings::Findings;

/// `outcome` of an audit record that does not open where it stands.
pub const AUDIT_DAMAGED: &str = "damaged";

options! {
    /// The filter of `Admin.Audit`. All that is given must hold.
    AuditOptions {
        /// Whose token was meant: `user:NAME`, `uid:N`, `machine`.
        owner: String = "owner",
        /// Name of the token, or the name it was given.
        name: String = "name",
        /// Who asked.
        uid: u32 = "uid",
        /// Method name.
        operation: String = "operation",
        /// How it ended: `ok`, `denied`, `not-found`, `failed`.
        outcome: String = "outcome",
        /// Not before this, microseconds since the epoch.
        since: u64 = "since",
        /// Before this, microseconds since the epoch.
        until: u64 = "until",
        /// Rows of this page.
        limit: u32 = "limit",
        /// Where the page begins: `next` of the page before.
        after: String = "after",
        /// Whether the newest come first.
        newest_first: bool = "newest-first",
    }
}

options! {
    /// Options of `Admin.VerifyAudit`: a record as the journal tells it, to hold the log against.
    VerifyAuditOptions {
        /// Number of the record.
        seq: u64 = "seq",
        /// Chain value after it, 64 hex digits.
        chain: String = "chain",
    }
}

options! {
    /// Options of `Tokens.Fetches`.
    FetchesOptions {
        /// Whose token: `machine`; default the caller's own.
        owner: String = "owner",
        /// Rows of this page.
        limit: u32 = "limit",
        /// Where the page begins: `next` of the page before.
        after: String = "after",
    }
}

results! {
    /// A fetch of a token, or several that are alike. What does not apply is empty or 0.
    FetchInfo {
        /// When it happened, or the first of a folded run, microseconds since the epoch.
        time: u64 = "time",
        /// Who fetched.
        uid: u32 = "uid",
        /// The user name of that uid, where the daemon knows it.
        user: String = "user",
        /// Number of the version.
        version: u64 = "version",
        /// How many equal ones it stands for.
        count: u64 = "count",
        /// `bus`, `socket`, `credential`.
        door: String = "door",
        /// What the caller said it is.
        app: String = "app",
        /// What the caller said it wants the value for.
        purpose: String = "purpose",
        /// The unit the service manager asked for.
        unit: String = "unit",
        /// `Get`, `Redeem`, `LoadCredential`.
        operation: String = "operation",
    }
}

results! {
    /// One record of the audit log. What does not apply is empty or 0.
    AuditInfo {
        /// Its number, from 1, without gaps.
        seq: u64 = "seq",
        /// When it happened, or the first of a folded run, microseconds since the epoch.
        time: u64 = "time",
        /// Who asked.
        uid: u32 = "uid",
        /// Method name.
        operation: String = "operation",
        /// Whose token was meant, `uid:N`.
        owner: String = "owner",
        /// The token's name.
        name: String = "name",
        /// Its version; of `PruneAudit`, the last record that was let go.
        version: u64 = "version",
        /// How it ended: `ok`, `denied`, `not-found`, `failed`; `damaged` where the record does not open.
        outcome: String = "outcome",
        /// How many equal ones it stands for; of `PruneAudit`, how many records were let go.
        count: u64 = "count",
        /// `bus`, `socket`, `daemon`, `credential`.
        door: String = "door",
        /// What the caller said it is.
        app: String = "app",
        /// What the caller said it wants the value for.
        purpose: String = "purpose",
        /// Process id, a hint.
        pid: u32 = "pid",
        /// Program, a hint; empty: the kernel tells it to nobody but root.
        exe: String = "exe",
        /// The unit the service manager asked for.
        unit: String = "unit",
        ?
        /// The name that the token was given.
        renamed_to: String = "renamed-to",
        /// With whom it was shared, or is no longer.
        grantee: String = "grantee",
    }
}

results! {
    /// How work stands that was begun.
    OperationInfo {
        /// Its number.
        id: u64 = "id",
        /// The method that began it.
        operation: String = "operation",
        /// Steps that are done.
        done: u64 = "done",
        /// Steps in all; 0: not known.
        total: u64 = "total",
        /// `running`, `done`, `failed`, `cancelled`.
        state: String = "state",
        /// Why it failed: cause and next step.
        error: String = "error",
        /// What it found.
        result: Findings = "result",
        ?
        /// Name of the error it failed with.
        error_name: String = "error-name",
    }
}
