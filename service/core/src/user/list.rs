//! `Users`: whom the vault knows.

use crate::Timestamp;
use crate::error::Error;
use crate::policy::Role;
use crate::port::PrincipalRow;
use crate::principal::{PrincipalRecord, role_of};
use crate::role_rules::RoleFrom;
use crate::vault::{Settings, Vault};

/// Principals read in one step.
const STEP: usize = 256;

/// A user as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserView {
    /// The uid.
    pub uid: u32,
    /// Name it had when it was taken in.
    pub user: String,
    /// Its own role, where no rule of the configuration says otherwise.
    pub role: Role,
    role_set: Option<bool>,
    /// False when an administrator disabled it.
    pub active: bool,
    /// When it was frozen: its user was deleted, or an administrator said so.
    pub frozen: Option<Timestamp>,
    /// Its tokens, expired ones included until they are deleted.
    pub tokens: u64,
    /// Its stored bytes: values, padded, and what is kept beside them.
    pub bytes: u64,
    /// Most tokens it may have; 0: no limit.
    pub quota_tokens: u64,
    /// Most bytes it may store; 0: no limit.
    pub quota_bytes: u64,
    /// When it called last, to the day; `None`: not since that is written down.
    pub last_seen: Option<Timestamp>,
}

impl UserView {
    fn new(row: &PrincipalRow, record: PrincipalRecord, settings: &Settings) -> Self {
        Self {
            uid: record.uid,
            role: if record.uid == 0 { Role::Admin } else { record.role },
            role_set: record.role_set,
            active: record.is_active(),
            user: record.user,
            frozen: record.frozen,
            tokens: row.tokens,
            bytes: row.bytes,
            quota_tokens: record.quota_tokens.unwrap_or(settings.tokens),
            quota_bytes: record.quota_bytes.unwrap_or(settings.bytes),
            last_seen: record.last_seen,
        }
    }
}

impl UserView {
    /// What it may do as a member of these groups, and where that is from.
    pub fn role_in(&self, settings: &Settings, gids: &[u32]) -> (Role, RoleFrom) {
        role_of(self.uid, (self.role, self.role_set), settings, (&self.user, gids))
    }
}

impl Vault {
    /// All users that have stored something or were taken in, by uid. Blocks.
    ///
    /// # Errors
    /// When the vault is not open, or the store cannot be read.
    pub fn users(&self) -> Result<Vec<UserView>, Error> {
        let open = self.open()?;
        let settings = self.settings();
        let mut users = Vec::new();
        let mut last = 0;
        loop {
            let rows = self.read(|tx| Ok(tx.principals(last, STEP)?))?;
            let Some(newest) = rows.last() else { break };
            last = newest.id;
            for row in &rows {
                let mut record = open.keys(self).open_record(row)?;
                if open.withholds(record.uid) {
                    record.frozen = record.frozen.or_else(|| Some(self.now()));
                }
                users.push(UserView::new(row, record, &settings));
            }
        }
        users.sort_by_key(|user| user.uid);
        Ok(users)
    }
}
