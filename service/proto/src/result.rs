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
        /// What its owner says about it to those it is shared with; absent: nothing.
        note: String = "note",
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
    /// One share of a token.
    ShareInfo {
        /// With whom: `user:NAME`, `group:NAME`, `unit:NAME.service`.
        grantee: String = "grantee",
        /// `read` or `write`.
        permission: String = "permission",
        /// When it was granted, microseconds since the epoch.
        created: u64 = "created",
        ?
        /// When it ends, microseconds since the epoch; absent: never.
        expires: u64 = "expires",
        /// How often it may still be used; absent: without a limit.
        uses_left: u32 = "uses-left",
        /// A few words for the grantee; absent: none.
        note: String = "note",
    }
}

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
    /// Something that was issued: an `Issued` row, and what `Validate` tells of what is valid.
    IssuedInfo {
        /// Its id; of an offer, how its code begins.
        id: String = "id",
        /// `token`, `code`, `offer`.
        kind: String = "kind",
        /// About whom or what it says something; of an offer, the name of its token.
        subject: String = "subject",
        /// For whom it is.
        audience: String = "audience",
        /// What it is good for.
        scopes: Vec<String> = "scopes",
        /// What else it says.
        claims: BTreeMap<String, String> = "claims",
        /// When it was issued, microseconds since the epoch.
        issued: u64 = "issued",
        /// When it expires, microseconds since the epoch.
        expires: u64 = "expires",
        /// Who issued it, `uid:N`.
        issuer: String = "issuer",
        ?
        /// How often it may still be used; absent: without a limit.
        uses_left: u32 = "uses-left",
        /// How many wrong codes may still be tried; absent for a token.
        attempts_left: u32 = "attempts-left",
    }
}

results! {
    /// An offer that was made.
    OfferInfo {
        /// Names it: how its code begins.
        id: String = "id",
        /// When it ends, microseconds since the epoch.
        expires: u64 = "expires",
        /// How many wrong codes may be tried.
        attempts_left: u32 = "attempts-left",
        ?
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

results! {
    /// How a user's login stands.
    LoginState {
        /// Whether there is a login key.
        enrolled: bool = "enrolled",
        /// Whether it is open.
        unlocked: bool = "unlocked",
        /// Whether the password was changed without its old one.
        stale: bool = "stale",
        /// Salt of the password's key.
        salt: Vec<u8> = "salt",
        /// Parameters of the password's key, in PHC form.
        params: String = "params",
        ?
    }
}

#[cfg(test)]
mod tests {
    use zbus::wire::serialized::{Context, Data};
    use zbus::wire::{Endian, to_bytes};
    use zbus::{DeserializeDict, SerializeDict, Type, Variant};

    use super::*;

    /// What zbus makes of a dictionary: the bytes to compare with.
    #[derive(Debug, PartialEq, SerializeDict, DeserializeDict, Type)]
    #[zbus(signature = "a{sv}", rename_all = "kebab-case")]
    struct Reference {
        name: String,
        owner: String,
        version: u64,
        size: u64,
        class: String,
        content_type: String,
        attributes: BTreeMap<String, String>,
        created: u64,
        updated: u64,
        shared: bool,
        permission: String,
        require_purpose: bool,
        expires: Option<u64>,
        note: Option<String>,
    }

    fn pair(expires: Option<u64>) -> (TokenInfo, Reference) {
        let attributes = BTreeMap::from([("env".to_owned(), "prod".to_owned()), ("é".to_owned(), String::new())]);
        let (name, owner, class) = ("prod/api-key".to_owned(), "uid:1000".to_owned(), "machine".to_owned());
        let note = expires.map(|_| "für später".to_owned());
        let (content_type, permission) = ("text/plain".to_owned(), "owner".to_owned());
        let (version, size, created, updated, shared, require_purpose) = (3, 256, 5, u64::MAX, true, false);
        let reference = Reference {
            name: name.clone(),
            owner: owner.clone(),
            version,
            size,
            class: class.clone(),
            content_type: content_type.clone(),
            attributes: attributes.clone(),
            created,
            updated,
            shared,
            permission: permission.clone(),
            require_purpose,
            expires,
            note: note.clone(),
        };
        let info = TokenInfo {
            name,
            owner,
            version,
            size,
            class,
            content_type,
            attributes,
            created,
            updated,
            shared,
            permission,
            require_purpose,
            expires,
            note,
        };
        (info, reference)
    }

    fn contexts() -> impl Iterator<Item = Context> {
        // Behind a pipe's index, in either byte order, and alone.
        [Endian::Little, Endian::Big].into_iter().flat_map(|endian| [0, 4].map(|at| Context::new(endian, at)))
    }

    /// A dictionary whose entries are these.
    fn entries(entries: &[(&str, Variant<'_>)]) -> Data<'static, 'static> {
        let entries: BTreeMap<&str, &Variant<'_>> = entries.iter().map(|(key, value)| (*key, value)).collect();
        to_bytes(Context::new(Endian::Little, 0), &entries).unwrap()
    }

    #[test]
    fn the_bytes_are_those_that_zbus_would_write() {
        for (context, expires) in contexts().flat_map(|context| [(context, None), (context, Some(9))]) {
            let (info, reference) = pair(expires);
            let bytes = to_bytes(context, &info).unwrap();
            assert_eq!(bytes.bytes(), to_bytes(context, &reference).unwrap().bytes());
            assert_eq!(bytes.deserialize::<TokenInfo>().unwrap(), (info, bytes.len()));
        }
    }

    #[test]
    fn salts_are_bytes() {
        let slot = SlotInfo { id: 1, kind: "passphrase".into(), created: 2, salt: Some(vec![0, 7]), params: None };
        for context in contexts() {
            let bytes = to_bytes(context, &slot).unwrap();
            assert_eq!(bytes.deserialize::<SlotInfo>().unwrap().0, slot);
        }
    }

    #[test]
    fn unknown_keys_are_passed_over_whatever_they_hold() {
        let known =
            [("version", 1), ("size", 2), ("created", 3)].map(|(key, number)| (key, Variant::from(number as u64)));
        let mut all = vec![("current", Variant::from(true)), ("next", Variant::from(("a", vec![(1_u8, "b")], 2_u16)))];
        all.extend(known);
        let info: VersionInfo = entries(&all).deserialize().unwrap().0;
        assert_eq!(info, VersionInfo { version: 1, size: 2, created: 3, current: true, expires: None });
    }

    #[test]
    fn a_missing_key_and_a_wrong_type_are_errors_that_say_so() {
        let number = |key| (key, Variant::from(1_u64));
        let missing = entries(&[number("version"), number("size"), ("current", Variant::from(true))]);
        let error = missing.deserialize::<VersionInfo>().unwrap_err().to_string();
        assert!(error.contains("missing field `created`"), "{error}");
        let wrong = entries(&[number("version"), ("size", Variant::from("1"))]);
        let error = wrong.deserialize::<VersionInfo>().unwrap_err().to_string();
        assert!(error.contains("`t`"), "{error}");
        let optional = entries(&[("expires", Variant::from(1_u32))]);
        assert!(optional.deserialize::<VersionInfo>().is_err());
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_is_survived() {
        let (info, _) = pair(Some(9));
        let context = Context::new(Endian::Little, 0);
        let bytes = to_bytes(context, &info).unwrap().bytes().to_vec();
        // Nobody reads the zero behind the last string.
        for len in 0..bytes.len() - 1 {
            assert!(Data::new(&bytes[..len], context).deserialize::<TokenInfo>().is_err(), "{len}");
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 9, b'a', b'v', 0x7F, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                let _ = Data::new(damaged, context).deserialize::<TokenInfo>();
            }
        }
    }
}
