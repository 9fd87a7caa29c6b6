//! The dictionaries that calls answer with. `--json` prints the same keys.

mod admin;
mod issuer;
mod login;
mod manager;
mod tokens;

pub use admin::{CleanupInfo, CredentialTest, DeletionInfo, SlotInfo, UserInfo};
pub use issuer::IssuedInfo;
pub use login::LoginState;
pub use manager::{Health, Status, WhoAmI};
pub use tokens::{OfferInfo, ShareInfo, TokenInfo, VersionInfo};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
