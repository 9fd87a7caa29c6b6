//! The keys of an open vault, and the principal behind a caller.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use super::anchor::AnchorKeys;
use super::due_mark::Told;
use super::hot::Ticket;
use super::principals::{Change, Principals};
use super::{Enrolment, HotToken, Look, Vault, VaultId};
use crate::audit::AuditKey;
use crate::crypto::{KeyTerms, kdf, tag};
use crate::error::Error;
use crate::grantee::{Grantee, Key};
use crate::keyring::Keyring;
use crate::login::Unlocked;
use crate::machine_key::MachineKeys;
use crate::owner::Owner;
use crate::policy::{self, Action, Role, Standing};
use crate::port::{PrincipalRow, ReadTx, SecretMemory, Tag, WriteTx};
use crate::principal::{Principal, PrincipalKeys};
use crate::slot::SlotKind;
use crate::{Caller, Secret, Timestamp};

/// An open vault: dropped with its last request, and its keys wiped, when the vault is sealed.
pub struct OpenVault {
    /// Part of every AAD.
    pub(crate) id: VaultId,
    /// Wraps the keyring.
    vk: RwLock<Arc<Secret>>,
    /// The keys everything else hangs on.
    pub(super) keyring: Keyring,
    /// Links and encrypts the audit log.
    pub(crate) audit: AuditKey,
    /// Tags of rows.
    pub(super) row_tag_key: Secret,
    /// Encrypts their sum.
    pub(super) row_sum_key: Secret,
    /// Keys of the anchor.
    pub(super) anchor: AnchorKeys,
    /// Kind of the slot that opened it.
    pub(super) opened_by: SlotKind,
    pub(crate) principals: Principals,
    /// Machine keys in use.
    pub(crate) machine_keys: MachineKeys,
    /// Users whose machine key is being renewed.
    pub(super) rotating: super::rotation::Rotating,
    /// Whether the keyring is.
    pub(super) renewing_keyring: super::rotation::Renewing,
    /// Whose login-class tokens are open.
    pub(crate) unlocked: Unlocked,
    /// Whose tokens are nobody's though that is not written down yet.
    withheld: RwLock<BTreeSet<u32>>,
    /// Uids that have another name now than in the vault, or none.
    estranged: RwLock<BTreeSet<u32>>,
    /// When the last look at the notes about deleted users began that left none of them unheeded.
    heeded: Mutex<Option<Timestamp>>,
    /// Up to when it was told what expires, once it was read.
    pub(super) told_expiry: Mutex<Option<Told>>,
    /// Which opening of the vault this is, from 1.
    pub(crate) opening: u64,
}

impl OpenVault {
    pub(super) fn new(vault: &Vault, id: VaultId, vk: Secret, keyring: Keyring, by: SlotKind) -> Result<Self, Error> {
        let audit = AuditKey::derive(keyring.audit(), &id, vault.memory())?;
        let derive = |label| kdf::derive(keyring.integrity(), label, &id, vault.memory());
        let (row_tag_key, row_sum_key) = (derive("row-tag")?, derive("row-sum")?);
        let anchor = AnchorKeys::derive(&keyring, &id, vault.memory())?;
        let opening = vault.openings.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Self {
            id,
            vk: RwLock::new(Arc::new(vk)),
            keyring,
            audit,
            row_tag_key,
            row_sum_key,
            anchor,
            opened_by: by,
            principals: Principals::default(),
            machine_keys: MachineKeys::default(),
            rotating: super::rotation::Rotating::default(),
            renewing_keyring: super::rotation::Renewing::default(),
            unlocked: Unlocked::default(),
            withheld: RwLock::default(),
            estranged: RwLock::default(),
            heeded: Mutex::default(),
            told_expiry: Mutex::default(),
            opening,
        })
    }

    /// Wraps the keyring.
    pub(super) fn vk(&self) -> Arc<Secret> {
        Arc::clone(&self.vk.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has another one in its place, once the store has.
    pub(super) fn put_vk(&self, vk: Arc<Secret>) {
        *self.vk.write().unwrap_or_else(PoisonError::into_inner) = vk;
    }

    /// Refuses to wrap keys anew where the store does not have those that are in use, under the vault key that is: a term that is left
    /// out would never open again.
    pub(super) fn check_keyring(&self, vault: &Vault, tx: &dyn ReadTx) -> Result<(), Error> {
        if self.keyring.is_stored(&tx.keyring()?, (&self.vk(), &self.id), vault.memory())? {
            return Ok(());
        }
        Err(Error::Unavailable("the keyring in the store is another one; restart tokenvaultd and run it again".into()))
    }

    /// Records and keys of principals.
    pub(crate) const fn users_key(&self) -> &KeyTerms {
        self.keyring.users()
    }

    /// Mixed into what login keys are wrapped under.
    pub(crate) const fn pepper(&self) -> &KeyTerms {
        self.keyring.pepper()
    }

    /// Salts of users who have no login key yet.
    pub(crate) const fn salting_key(&self) -> &Secret {
        self.keyring.index()
    }

    /// Hashes of issued tokens.
    pub(crate) const fn tokens_key(&self) -> &KeyTerms {
        self.keyring.tokens()
    }

    pub(crate) fn keys<'a>(&'a self, vault: &'a Vault) -> PrincipalKeys<'a> {
        PrincipalKeys {
            vault: &self.id,
            users: self.keyring.users(),
            index: self.keyring.index(),
            machine_keys: Some(&self.machine_keys),
            memory: vault.memory(),
        }
    }

    /// The same for the rows of a transaction.
    pub(crate) fn keys_in<'a>(&'a self, vault: &'a Vault, tx: &dyn ReadTx) -> PrincipalKeys<'a> {
        let keys = self.keys(vault);
        if tx.is_writing() { PrincipalKeys { machine_keys: None, ..keys } } else { keys }
    }

    /// Has nobody given the tokens of a uid from now on, or no longer for this reason.
    pub(crate) fn withhold(&self, uid: u32, withheld: bool) {
        let mut uids = self.withheld.write().unwrap_or_else(PoisonError::into_inner);
        if withheld {
            uids.insert(uid)
        } else {
            uids.remove(&uid)
        };
    }

    /// Whether that is so of a uid.
    pub(crate) fn withholds(&self, uid: u32) -> bool {
        self.withheld.read().unwrap_or_else(PoisonError::into_inner).contains(&uid)
    }

    /// Has nobody but who shows the right name given anything of the principal of a uid, or no longer.
    pub(crate) fn estrange(self: &Arc<Self>, uid: u32, estranged: bool) {
        let mut uids = self.estranged.write().unwrap_or_else(PoisonError::into_inner);
        let changed = if estranged { uids.insert(uid) } else { uids.remove(&uid) };
        drop(uids);
        if changed {
            drop(Change::begin(self, uid));
        }
    }

    /// A look at the notes about deleted users that began then has left none of them unheeded.
    pub(crate) fn note_heeded(&self, begun: Timestamp) {
        *self.heeded.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
    }

    /// Whether such a look had begun by then.
    pub(crate) fn heeded_by(&self, time: Timestamp) -> bool {
        self.heeded.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|begun| begun <= time)
    }

    /// The principal of a row that a transaction sees.
    fn principal_of(&self, vault: &Vault, tx: &dyn ReadTx, row: &PrincipalRow) -> Result<Arc<Principal>, Error> {
        let mut principal = self.keys_in(vault, tx).open(row)?;
        if self.withholds(principal.uid) {
            (principal.frozen, principal.active) = (true, false);
        }
        principal.estranged = self.estranged.read().unwrap_or_else(PoisonError::into_inner).contains(&principal.uid);
        Ok(Arc::new(principal))
    }

    /// The tag the shares of a grantee are found by.
    pub(crate) fn grantee_tag(&self, grantee: &Grantee) -> Tag {
        self.key_tag(grantee.key())
    }

    /// The same of what a grantee is found by.
    pub(crate) fn key_tag(&self, key: Key<'_>) -> Tag {
        tag::grantee_tag(self.keyring.index(), key)
    }

    /// The key under which one generation of a principal tags its names.
    pub(crate) fn names_key(&self, generation: &[u8; 16], memory: &dyn SecretMemory) -> Result<Secret, Error> {
        Ok(tag::principal_index_key(self.keyring.index(), generation, memory)?)
    }
}

impl Vault {
    /// Remembers that somebody may hold these keys from here on.
    pub(super) fn note_opening(&self, open: &Arc<OpenVault>) {
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        earlier.retain(|other| other.strong_count() > 0);
        earlier.push(Arc::downgrade(open));
    }

    /// Refuses to draw keys anew while somebody writes with those of an earlier opening, who would not learn of it.
    pub(super) fn check_no_earlier_requests(&self, open: &Arc<OpenVault>) -> Result<(), Error> {
        let earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        if earlier.iter().filter_map(Weak::upgrade).all(|other| Arc::ptr_eq(&other, open)) {
            return Ok(());
        }
        Err(Error::Unavailable(
            "requests are still under way that had begun before the vault was sealed the last time; try again in a moment".into(),
        ))
    }

    /// Looks for a token among those that were read lately.
    pub(crate) fn find_hot(&self, open: &OpenVault, owner: &Principal, name: &str) -> Look {
        self.hot.find(open.opening, (owner.uid, owner.id), name)
    }

    /// A write to what an owner has begins: nothing of it stays opened.
    pub(super) fn begin_write(&self, owner: u32) {
        self.hot.begin_write(owner);
        self.listed.clear(owner);
    }

    /// Does what makes tokens of an owner unreadable: none is kept that was read before it ended.
    pub(crate) fn without_hot<T>(&self, owner: u32, work: impl FnOnce() -> T) -> T {
        self.begin_write(owner);
        let done = work();
        self.hot.end_write(owner);
        done
    }

    /// Keeps a token that was read, where nothing says that it may have changed meanwhile.
    pub(crate) fn keep_hot(&self, ticket: Ticket, name: &str, token: Arc<HotToken>) {
        self.hot.keep(ticket, name, token);
    }

    /// Judges an action on the tokens of `owner`; their principal, or `None` when it is allowed but has none yet.
    pub(crate) fn judged(
        &self,
        open: &OpenVault,
        caller: &Caller,
        owner: Owner,
        action: Action,
    ) -> Result<Option<Arc<Principal>>, Error> {
        self.judge(caller, owner, action, |uid| self.principal(open, uid))
    }

    /// The same for reading, as far as it can be told without asking the store.
    pub(crate) fn judged_cached(&self, open: &OpenVault, caller: &Caller, owner: Owner) -> Option<Arc<Principal>> {
        self.judge(caller, owner, Action::Read, |uid| Ok(open.principals.find(uid))).ok()?
    }

    /// The same inside a write.
    pub(crate) fn judged_in(
        &self,
        open: &OpenVault,
        tx: &dyn ReadTx,
        caller: &Caller,
        owner: Owner,
        action: Action,
    ) -> Result<Option<Arc<Principal>>, Error> {
        // What a write sees may still be undone: it is used, but not cached.
        self.judge(caller, owner, action, |uid| self.find_principal(open, tx, uid))
    }

    fn judge(
        &self,
        caller: &Caller,
        owner: Owner,
        action: Action,
        mut find: impl FnMut(u32) -> Result<Option<Arc<Principal>>, Error>,
    ) -> Result<Option<Arc<Principal>>, Error> {
        let own = find(caller.uid)?;
        let standing = match &own {
            Some(own) => {
                own.check_name(caller)?;
                self.note_seen(own);
                match action {
                    Action::Read => own.standing_to_read(),
                    Action::Write | Action::Share | Action::History => own.standing(&self.settings(), caller),
                }
            }
            None => self.standing_of_stranger(caller),
        };
        let owner = owner.uid(caller);
        policy::judge(standing, owner, action).into_result()?;
        match owner {
            Some(uid) if uid != caller.uid => find(uid),
            _ => Ok(own),
        }
    }

    fn standing_of_stranger(&self, caller: &Caller) -> Standing {
        let settings = self.settings();
        let rule = settings.roles.find(&caller.user, &caller.gids).map(|rule| rule.role);
        let role = if caller.is_root() { Role::Admin } else { rule.unwrap_or(settings.default_role) };
        Standing { uid: caller.uid, role, active: true }
    }

    /// Role and activity of a caller.
    ///
    /// # Errors
    /// When the vault is not open, or the caller's principal is frozen.
    pub fn standing(&self, caller: &Caller) -> Result<Standing, Error> {
        let open = self.open()?;
        match self.principal(&open, caller.uid)? {
            Some(own) => own.check_name(caller).map(|()| own.standing(&self.settings(), caller)),
            None => Ok(self.standing_of_stranger(caller)),
        }
    }

    /// Says whether a uid has another name now than in the vault, or none: nothing of its is given to others then. Nothing while
    /// the vault is not open.
    pub fn estrange(&self, uid: u32, estranged: bool) {
        if let Ok(open) = self.open() {
            open.estrange(uid, estranged);
        }
    }

    /// Tokens and stored bytes of a caller, and the limits of both (0: none).
    ///
    /// # Errors
    /// When the vault is not open, the store cannot be read, or the caller's principal is frozen.
    pub fn usage(&self, caller: &Caller) -> Result<[u64; 4], Error> {
        let open = self.open()?;
        let settings = self.settings();
        let uid_tag = tag::uid_tag(open.keyring.index(), caller.uid);
        let row = self.read(|tx| Ok(tx.principal(&uid_tag)?))?;
        let principal = self.principal(&open, caller.uid)?;
        principal.as_ref().map_or(Ok(()), |own| own.check_name(caller))?;
        let quota_tokens = principal.as_ref().and_then(|own| own.quota_tokens).unwrap_or(settings.tokens);
        let quota_bytes = principal.as_ref().and_then(|own| own.quota_bytes).unwrap_or(settings.bytes);
        let (tokens, bytes) = row.map_or((0, 0), |row| (row.tokens, row.bytes));
        Ok([tokens, bytes, quota_tokens, quota_bytes])
    }

    fn principal(&self, open: &OpenVault, uid: u32) -> Result<Option<Arc<Principal>>, Error> {
        if let Some(principal) = open.principals.find(uid) {
            return Ok(Some(principal));
        }
        let ticket = open.principals.ticket();
        let principal = self.read(|tx| self.load_principal(open, tx, uid))?;
        if let Some(principal) = &principal {
            open.principals.keep(ticket, principal);
        }
        Ok(principal)
    }

    /// The principal of a uid, as a transaction sees it.
    pub(crate) fn find_principal(
        &self,
        open: &OpenVault,
        tx: &dyn ReadTx,
        uid: u32,
    ) -> Result<Option<Arc<Principal>>, Error> {
        match open.principals.find(uid) {
            Some(principal) => Ok(Some(principal)),
            None => self.load_principal(open, tx, uid),
        }
    }

    /// The principal of a row number, as a transaction sees it.
    pub(crate) fn find_principal_by_id(
        &self,
        open: &OpenVault,
        tx: &dyn ReadTx,
        id: i64,
    ) -> Result<Arc<Principal>, Error> {
        if let Some(principal) = open.principals.find_by_id(id) {
            return Ok(principal);
        }
        let row = tx.principal_by_id(id)?.ok_or_else(|| Error::Quarantined(format!("principal {id} is missing")))?;
        open.principal_of(self, tx, &row)
    }

    /// The same on a snapshot, and kept.
    pub(crate) fn principal_by_id(&self, open: &OpenVault, id: i64) -> Result<Arc<Principal>, Error> {
        let ticket = open.principals.ticket();
        let principal = self.read(|tx| self.find_principal_by_id(open, tx, id))?;
        open.principals.keep(ticket, &principal);
        Ok(principal)
    }

    fn load_principal(&self, open: &OpenVault, tx: &dyn ReadTx, uid: u32) -> Result<Option<Arc<Principal>>, Error> {
        let uid_tag = tag::uid_tag(open.keyring.index(), uid);
        tx.principal(&uid_tag)?.map(|row| open.principal_of(self, tx, &row)).transpose()
    }

    /// Takes a principal in that stores for the first time.
    pub(crate) fn enrol(
        &self,
        open: &OpenVault,
        tx: &mut dyn WriteTx,
        caller: &Caller,
        owner: Owner,
    ) -> Result<Arc<Principal>, Error> {
        let settings = self.settings();
        let of_machine = owner.uid(caller) == Some(0);
        let allowed = match settings.enrolment {
            _ if of_machine => true,
            Enrolment::Auto => true,
            Enrolment::Group(gid) => caller.gids.contains(&gid),
            Enrolment::Admin => false,
        };
        if !allowed {
            return Err(Error::AccessDenied(
                "you are not enrolled in the vault, and 'users.enrol' in its configuration does not take you in; \
                 an administrator can change it, or add you to the group it means"
                    .into(),
            ));
        }
        let machine = Caller { uid: 0, user: "root".into(), ..caller.clone() };
        let subject = if of_machine { &machine } else { caller };
        let role = if of_machine { Role::Admin } else { settings.default_role };
        let mut row = open.keys(self).enrol(subject, role, self.now())?;
        row.id = tx.insert_principal(&row)?;
        Ok(Arc::new(open.keys_in(self, tx).open(&row)?))
    }
}
