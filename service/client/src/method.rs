//! Every method this client calls, named once.

use std::time::Duration;

use tokenvault_proto::{ADMIN_INTERFACE, ISSUER_INTERFACE, LOGIN_INTERFACE, MANAGER_INTERFACE, TOKENS_INTERFACE};

/// How long a call may take when nothing else is said; as libdbus does.
const DEADLINE: Duration = Duration::from_secs(25);
/// Admin calls wait for people (polkit), for a TPM and for the disk.
const ADMIN_DEADLINE: Duration = Duration::from_secs(120);

/// As long as the vault takes for a long value at its defaults, when it waits for others before it.
const LONG_VALUE_DEADLINE: Duration = Duration::from_secs(600);

/// A method of the vault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Method {
    pub(crate) interface: &'static str,
    pub(crate) member: &'static str,
    /// Asking twice changes nothing, so it may be asked again when the connection broke.
    pub(crate) repeatable: bool,
    /// How long to wait unless the client says otherwise.
    pub(crate) deadline: Duration,
    /// Whether somebody may be asked to permit it (polkit).
    pub(crate) interactive: bool,
}

const fn read(interface: &'static str, member: &'static str) -> Method {
    Method { interface, member, repeatable: true, deadline: DEADLINE, interactive: false }
}

const fn write(member: &'static str) -> Method {
    Method { interface: TOKENS_INTERFACE, member, repeatable: false, deadline: DEADLINE, interactive: false }
}

const fn issuer(member: &'static str) -> Method {
    Method { interface: ISSUER_INTERFACE, member, repeatable: false, deadline: DEADLINE, interactive: false }
}

const fn login(member: &'static str) -> Method {
    Method { interface: LOGIN_INTERFACE, member, repeatable: false, deadline: DEADLINE, interactive: false }
}

const fn admin(member: &'static str, repeatable: bool) -> Method {
    Method { interface: ADMIN_INTERFACE, member, repeatable, deadline: ADMIN_DEADLINE, interactive: true }
}

pub(crate) const STATUS: Method = read(MANAGER_INTERFACE, "Status");
pub(crate) const WHO_AM_I: Method = read(MANAGER_INTERFACE, "WhoAmI");
pub(crate) const HEALTH: Method = read(MANAGER_INTERFACE, "Health");
pub(crate) const METRICS: Method = read(MANAGER_INTERFACE, "Metrics");
pub(crate) const OPERATION: Method = read(MANAGER_INTERFACE, "Operation");
pub(crate) const CANCEL: Method = read(MANAGER_INTERFACE, "Cancel");
pub(crate) const SUBSCRIBE: Method = read(MANAGER_INTERFACE, "Subscribe");
pub(crate) const UNSUBSCRIBE: Method = read(MANAGER_INTERFACE, "Unsubscribe");

pub(crate) const GET: Method = read(TOKENS_INTERFACE, "Get");
/// What takes a use of a share is not asked twice.
pub(crate) const GET_OF_ANOTHER: Method = write("Get");
pub(crate) const DESCRIBE: Method = read(TOKENS_INTERFACE, "Describe");
pub(crate) const VERSIONS: Method = read(TOKENS_INTERFACE, "Versions");
pub(crate) const LIST: Method = read(TOKENS_INTERFACE, "List");
pub(crate) const PUT: Method = write("Put");
/// Of a value that does not fit into a pipe, and comes in piece by piece.
pub(crate) const PUT_LONG: Method = Method { deadline: LONG_VALUE_DEADLINE, ..PUT };
pub(crate) const GENERATE: Method = write("Generate");
pub(crate) const ROLLBACK: Method = write("Rollback");
pub(crate) const ANNOTATE: Method = write("Annotate");
pub(crate) const RENAME: Method = write("Rename");
pub(crate) const DELETE: Method = write("Delete");
pub(crate) const SHARE: Method = write("Share");
pub(crate) const UNSHARE: Method = write("Unshare");
pub(crate) const SHARES: Method = read(TOKENS_INTERFACE, "Shares");

pub(crate) const OFFER: Method = write("Offer");
pub(crate) const REDEEM: Method = write("Redeem");
pub(crate) const FETCHES: Method = read(TOKENS_INTERFACE, "Fetches");

pub(crate) const ISSUE: Method = issuer("Issue");
pub(crate) const VALIDATE: Method = read(ISSUER_INTERFACE, "Validate");
/// What takes a use, or counts a wrong code, is not asked twice.
pub(crate) const VALIDATE_COUNTED: Method = issuer("Validate");
pub(crate) const REVOKE: Method = issuer("Revoke");
pub(crate) const REVOKE_ALL: Method = issuer("RevokeAll");
pub(crate) const ISSUED: Method = read(ISSUER_INTERFACE, "Issued");

pub(crate) const LOGIN_STATE: Method = read(LOGIN_INTERFACE, "State");
pub(crate) const ENROL: Method = login("Enrol");
pub(crate) const UNLOCK: Method = login("Unlock");
pub(crate) const LOCK: Method = login("Lock");
pub(crate) const SET_KEY: Method = login("SetKey");
pub(crate) const RECOVER: Method = login("Recover");
pub(crate) const LEASE: Method = login("Lease");

pub(crate) const SLOTS: Method = admin("Slots", true);
pub(crate) const ADD_SLOT: Method = admin("AddSlot", false);
pub(crate) const REMOVE_SLOT: Method = admin("RemoveSlot", false);
pub(crate) const SEAL: Method = admin("Seal", false);
pub(crate) const UNSEAL: Method = admin("Unseal", false);
pub(crate) const CONFIRM_RECOVERY: Method = admin("ConfirmRecovery", false);
pub(crate) const TEST_CREDENTIAL: Method = admin("TestCredential", true);
pub(crate) const AUDIT: Method = admin("Audit", true);
pub(crate) const VERIFY_AUDIT: Method = admin("VerifyAudit", false);
pub(crate) const LOCKDOWN: Method = admin("Lockdown", false);
pub(crate) const VERIFY: Method = admin("Verify", false);
pub(crate) const RECOVER_VAULT: Method = admin("Recover", false);
pub(crate) const ROTATE: Method = admin("Rotate", false);
pub(crate) const BACKUP: Method = admin("Backup", false);
pub(crate) const RESTORE: Method = admin("Restore", false);
pub(crate) const CLEANUP: Method = admin("Cleanup", false);
pub(crate) const USERS: Method = admin("Users", true);
pub(crate) const SET_USER: Method = admin("SetUser", false);
pub(crate) const FREEZE_USER: Method = admin("FreezeUser", false);
pub(crate) const DELETIONS: Method = admin("Deletions", true);
pub(crate) const PURGE_USER: Method = admin("PurgeUser", false);
pub(crate) const ADOPT_USER: Method = admin("AdoptUser", false);
pub(crate) const EXPIRING: Method = admin("Expiring", true);
pub(crate) const RELOAD: Method = admin("Reload", false);
