//! The option dictionaries of the methods.

use std::collections::BTreeMap;

use crate::dictionary::options;

options! {
    /// Options of a method that has none yet.
    NoOptions {}
}

options! {
    /// Options of `Tokens.Put`.
    PutOptions {
        /// `upsert` (default), `create`, `replace`.
        mode: String = "mode",
        /// The write happens only when the current version has this number.
        expect_version: u64 = "expect-version",
        /// `machine` (default), `login`.
        class: String = "class",
        /// Whose token: `user:NAME`, `uid:N`, `machine`; default the caller's own.
        owner: String = "owner",
        /// Media type of the value.
        content_type: String = "content-type",
        /// Replaces the attributes; absent: an existing token keeps its own.
        attributes: BTreeMap<String, String> = "attributes",
        /// Microseconds until the new version expires.
        ttl: u64 = "ttl",
        /// When the new version expires, microseconds since the epoch.
        expires: u64 = "expires",
        /// How many versions are kept, the current one included.
        keep_versions: u32 = "keep-versions",
        /// Whether `Get` must name a purpose.
        require_purpose: bool = "require-purpose",
        /// Bytes of the value; one of another length is refused.
        size: u64 = "size",
    }
}

options! {
    /// Options of `Tokens.Generate`: how the value is made, and `Put`'s.
    GenerateOptions {
        /// Characters of the random part.
        length: u32 = "length",
        /// `base62` (default), `hex`, `base64url`, `digits`, `ascii`.
        charset: String = "charset",
        /// Put before the random part.
        prefix: String = "prefix",
        /// As in [`PutOptions`].
        mode: String = "mode",
        /// As in [`PutOptions`].
        expect_version: u64 = "expect-version",
        /// As in [`PutOptions`].
        class: String = "class",
        /// As in [`PutOptions`].
        owner: String = "owner",
        /// As in [`PutOptions`].
        content_type: String = "content-type",
        /// As in [`PutOptions`].
        attributes: BTreeMap<String, String> = "attributes",
        /// As in [`PutOptions`].
        ttl: u64 = "ttl",
        /// As in [`PutOptions`].
        expires: u64 = "expires",
        /// As in [`PutOptions`].
        keep_versions: u32 = "keep-versions",
        /// As in [`PutOptions`].
        require_purpose: bool = "require-purpose",
    }
}

impl GenerateOptions {
    /// The part that [`PutOptions`] knows too.
    pub fn put(&self) -> PutOptions {
        PutOptions {
            mode: self.mode.clone(),
            expect_version: self.expect_version,
            class: self.class.clone(),
            owner: self.owner.clone(),
            content_type: self.content_type.clone(),
            attributes: self.attributes.clone(),
            ttl: self.ttl,
            expires: self.expires,
            keep_versions: self.keep_versions,
            require_purpose: self.require_purpose,
            size: None,
        }
    }
}

options! {
    /// Options of `Tokens.Get`.
    GetOptions {
        /// Whose token: `user:NAME`, `uid:N`, `machine`; default the caller's own.
        owner: String = "owner",
        /// This version instead of the current one.
        version: u64 = "version",
        /// What the value is wanted for; written to the audit log.
        purpose: String = "purpose",
        /// The program that asks; written to the audit log, grants nothing.
        app: String = "app",
    }
}

options! {
    /// Options of `Tokens.Describe`, `Versions`, `Rollback`, `Rename`, `Unshare`, `Shares`: whose token is meant.
    DescribeOptions {
        /// Whose token; default the caller's own.
        owner: String = "owner",
    }
}

options! {
    /// The filter of `Tokens.List`.
    ListOptions {
        /// Only names that start with this.
        prefix: String = "prefix",
        /// Only tokens that carry all of these.
        attributes: BTreeMap<String, String> = "attributes",
        /// Whose tokens; default the caller's own.
        owner: String = "owner",
        /// Tokens shared with the caller instead of the caller's own.
        shared_with_me: bool = "shared-with-me",
        /// Only tokens that expire before this, microseconds since the epoch.
        expires_before: u64 = "expires-before",
        /// Rows of this page.
        limit: u32 = "limit",
        /// Where the page begins: `next` of the page before.
        after: String = "after",
    }
}

options! {
    /// Options of `Tokens.Annotate`: what is given is changed.
    AnnotateOptions {
        /// Whose token; default the caller's own.
        owner: String = "owner",
        /// Replaces all attributes.
        attributes: BTreeMap<String, String> = "attributes",
        /// When the current version expires, microseconds since the epoch; 0: never.
        expires: u64 = "expires",
        /// Media type of the value.
        content_type: String = "content-type",
        /// How many versions are kept.
        keep_versions: u32 = "keep-versions",
        /// Whether `Get` must name a purpose.
        require_purpose: bool = "require-purpose",
    }
}

options! {
    /// Options of `Tokens.Delete`.
    DeleteOptions {
        /// Whose token; default the caller's own.
        owner: String = "owner",
        /// Only this version.
        version: u64 = "version",
    }
}

options! {
    /// Options of `Tokens.Share`.
    ShareOptions {
        /// Whose token; default the caller's own.
        owner: String = "owner",
        /// `read` (default), `write`.
        permission: String = "permission",
        /// When the share ends, microseconds since the epoch.
        expires: u64 = "expires",
        /// How often it may be used.
        uses: u32 = "uses",
        /// A few words for the grantee.
        note: String = "note",
    }
}

options! {
    /// Options of `Tokens.Offer`.
    OfferOptions {
        /// Whose token; default the caller's own.
        owner: String = "owner",
        /// Microseconds until the offer ends.
        ttl: u64 = "ttl",
        /// How many wrong codes may be tried.
        attempts: u32 = "attempts",
    }
}

options! {
    /// Options of `Tokens.Redeem`.
    RedeemOptions {
        /// What the value is wanted for; written to the audit log.
        purpose: String = "purpose",
        /// The program that asks; written to the audit log, grants nothing.
        app: String = "app",
    }
}

options! {
    /// Options of `Issuer.Issue`.
    IssueOptions {
        /// `token` (default), `code`.
        kind: String = "kind",
        /// Digits of a code.
        length: u32 = "length",
        /// How many wrong codes may be tried.
        attempts: u32 = "attempts",
        /// About whom or what it says something.
        subject: String = "subject",
        /// For whom it is: `user:NAME`, `group:NAME`, or any other text.
        audience: String = "audience",
        /// What it is good for.
        scopes: Vec<String> = "scopes",
        /// Microseconds until it expires.
        ttl: u64 = "ttl",
        /// How often it may be used.
        uses: u32 = "uses",
        /// What else it says.
        claims: BTreeMap<String, String> = "claims",
    }
}

options! {
    /// Options of `Issuer.Validate`.
    ValidateOptions {
        /// The id of a code.
        id: String = "id",
        /// It must be for this audience.
        audience: String = "audience",
        /// It must be good for all of this.
        scopes: Vec<String> = "scopes",
        /// Takes one of its uses.
        consume: bool = "consume",
    }
}

options! {
    /// The filter of `Issuer.RevokeAll`; what is not given means all.
    RevokeAllOptions {
        /// `token`, `code`, `offer`.
        kind: String = "kind",
        /// About this subject.
        subject: String = "subject",
        /// For this audience.
        audience: String = "audience",
        /// Good for all of this.
        scopes: Vec<String> = "scopes",
    }
}

options! {
    /// The filter of `Issuer.Issued`; what is not given means all.
    IssuedOptions {
        /// As in [`RevokeAllOptions`].
        kind: String = "kind",
        /// As in [`RevokeAllOptions`].
        subject: String = "subject",
        /// As in [`RevokeAllOptions`].
        audience: String = "audience",
        /// As in [`RevokeAllOptions`].
        scopes: Vec<String> = "scopes",
        /// Rows of this page.
        limit: u32 = "limit",
        /// Where the page begins: `next` of the page before.
        after: String = "after",
    }
}

impl IssuedOptions {
    /// The part that [`RevokeAllOptions`] knows too.
    pub fn filter(&self) -> RevokeAllOptions {
        RevokeAllOptions {
            kind: self.kind.clone(),
            subject: self.subject.clone(),
            audience: self.audience.clone(),
            scopes: self.scopes.clone(),
        }
    }
}

options! {
    /// Options of `Admin.AddSlot`.
    AddSlotOptions {
        /// Salt the passphrase was derived with.
        salt: Vec<u8> = "salt",
        /// Parameters it was derived with, in PHC form (`$argon2id$v=19$m=65536,t=3,p=1`).
        params: String = "params",
    }
}

options! {
    /// Options of `Admin.RemoveSlot`.
    RemoveSlotOptions {
        /// Removes the last slot that is not a TPM slot all the same.
        force: bool = "force",
    }
}

options! {
    /// Options of `Admin.Restore`.
    RestoreOptions {
        /// Restores also where the vault holds tokens or had users.
        replace: bool = "replace",
        /// Restores also what nobody vouches for: its vault had not been shown the recovery key yet.
        unvouched: bool = "unvouched",
    }
}

options! {
    /// Options of `Admin.Rotate`.
    RotateOptions {
        /// The slot, of `slot`.
        slot: u32 = "slot",
        /// The user, of `user`.
        uid: u32 = "uid",
        /// Whether values get new keys too, of `user`.
        reencrypt: bool = "reencrypt",
    }
}

options! {
    /// `SetUser`.
    SetUserOptions {
        /// `admin`, `developer`, `consumer`, `auditor`; [`crate::ROLE_AS_CONFIGURED`]: as configured.
        role: String = "role",
        /// Whether the user may do anything.
        active: bool = "active",
        /// Most tokens it may have; 0: no limit, [`crate::QUOTA_AS_CONFIGURED`]: as configured.
        quota_tokens: u64 = "quota-tokens",
        /// Most bytes it may store; 0: no limit, [`crate::QUOTA_AS_CONFIGURED`]: as configured.
        quota_bytes: u64 = "quota-bytes",
    }
}

options! {
    /// `Cleanup`.
    CleanupOptions {
        /// Only of this owner: `machine`, `user:NAME`, `uid:N`.
        owner: String = "owner",
        /// Only count.
        dry_run: bool = "dry-run",
        /// The wall clock is right.
        clock_is_right: bool = "clock-is-right",
        /// Something keeps the wall clock right.
        clock_is_synchronised: bool = "clock-is-synchronised",
    }
}

options! {
    /// `AdoptUser`.
    AdoptUserOptions {
        /// Who is given the tokens; absent: who has the uid now.
        to_uid: u32 = "to-uid",
    }
}

options! {
    /// Options of `Admin.Unseal`.
    UnsealOptions {
        /// Only this slot is tried.
        slot: u32 = "slot",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Serialize;
    use zbus::wire::serialized::Context;
    use zbus::wire::{Endian, to_bytes};
    use zbus::{OwnedVariant, Type, Variant};

    use super::*;
    use crate::dictionary::{Dictionary, OptionError};

    fn dict(entries: &[(&str, Variant<'static>)]) -> HashMap<String, OwnedVariant> {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), OwnedVariant::try_from(value.try_clone().unwrap()).unwrap()))
            .collect()
    }

    #[test]
    fn known_options_are_decoded() {
        let attributes = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
        let options = PutOptions::from_dict(dict(&[
            ("mode", Variant::from("create")),
            ("ttl", Variant::from(5_u64)),
            ("attributes", Variant::from(attributes.clone())),
        ]))
        .unwrap();
        assert_eq!(options.mode.as_deref(), Some("create"));
        assert_eq!(options.ttl, Some(5));
        assert_eq!(options.attributes, Some(attributes));
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        let error = GetOptions::from_dict(dict(&[("nonsense", Variant::from(true))])).unwrap_err();
        assert_eq!(error, OptionError::Unknown("nonsense".into()));
        assert!(error.to_string().contains("nonsense"));
    }

    #[test]
    fn a_wrong_type_is_refused_by_name() {
        let error = GetOptions::from_dict(dict(&[("version", Variant::from("1"))])).unwrap_err();
        assert_eq!(error, OptionError::WrongType { key: "version", expected: "t" });
    }

    fn encode(options: &(impl Serialize + Type)) -> zbus::Result<HashMap<String, OwnedVariant>> {
        let bytes = to_bytes(Context::new(Endian::Little, 0), options)?;
        Ok(bytes.deserialize().unwrap().0)
    }

    #[test]
    fn what_was_encoded_decodes_to_the_same() {
        let options = GenerateOptions {
            length: Some(9),
            prefix: Some("x".into()),
            attributes: Some(BTreeMap::from([("env".into(), "prod".into())])),
            ttl: Some(7),
            require_purpose: Some(true),
            ..Default::default()
        };
        let wire = encode(&options).unwrap();
        assert_eq!(wire.len(), 5);
        assert_eq!(GenerateOptions::from_dict(wire).unwrap(), options);
        assert!(encode(&NoOptions {}).unwrap().is_empty());
    }

    #[test]
    fn a_zero_byte_in_any_string_is_refused() {
        let put = |key: &str, value: &str| PutOptions {
            attributes: Some(BTreeMap::from([(key.to_owned(), value.to_owned())])),
            ..Default::default()
        };
        let owner = PutOptions { owner: Some("a\0b".into()), ..Default::default() };
        assert!(encode(&put("a", "b")).is_ok());
        for options in [owner, put("a\0", "b"), put("a", "\0b")] {
            let error = encode(&options).unwrap_err();
            assert!(error.to_string().contains("zero byte"), "{error}");
        }
        let salt = AddSlotOptions { salt: Some(vec![0, 1]), params: None };
        assert!(encode(&salt).is_ok(), "bytes are no string");
    }
}
