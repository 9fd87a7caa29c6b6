//! Values the vault makes.

use crate::common::*;

/// A character set and what belongs to it.
type Case = (&'static str, fn(&u8) -> bool);

through_every_client! {
    fn a_generated_value_is_stored_and_returned(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let made = alice.generate("g", &defaults()).unwrap();
        assert_eq!(made.data().len(), 32);
        assert!(made.data().iter().all(u8::is_ascii_alphanumeric));
        assert_eq!((made.info().version, made.info().size), (1, 32));
        let fetched = alice.get("g", &defaults()).unwrap();
        assert!(fetched.data() == made.data());
        let again = alice.generate("g", &defaults()).unwrap();
        assert!(again.data() != made.data());
        assert_eq!(again.info().version, 2);
    }

    fn length_charset_and_prefix_are_as_asked(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let cases: [Case; 4] = [
            ("hex", |byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)),
            ("digits", u8::is_ascii_digit),
            ("base64url", |byte| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_'),
            ("ascii", u8::is_ascii_graphic),
        ];
        for (charset, belongs) in cases {
            let options = GenerateOptions {
                length: Some(200),
                charset: Some(charset.into()),
                prefix: Some("ghp_".into()),
                ..defaults()
            };
            let made = alice.generate(charset, &options).unwrap();
            let (prefix, random) = made.data().split_at(4);
            assert_eq!(prefix, b"ghp_");
            assert_eq!(random.len(), 200);
            assert!(random.iter().all(belongs), "{charset}");
        }
    }

    fn the_options_of_put_count_for_generate_too(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let create = GenerateOptions {
            mode: Some("create".into()),
            attributes: attributes(&[("made", "here")]),
            ttl: Some(3_600_000_000),
            ..defaults()
        };
        alice.generate("g", &create).unwrap();
        let info = alice.describe("g", &defaults()).unwrap();
        assert_eq!(Some(info.attributes), attributes(&[("made", "here")]));
        assert!(info.expires.is_some());
        assert_eq!(code(alice.generate("g", &create)), ErrorCode::Exists);
    }

    fn a_generated_version_is_kept_as_asked(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let end = now() + 3_600_000_000;
        for version in 1..=3 {
            let options = GenerateOptions {
                expect_version: (version > 1).then_some(version - 1),
                content_type: Some("text/plain".into()),
                expires: Some(end),
                keep_versions: Some(2),
                require_purpose: Some(true),
                class: Some("machine".into()),
                ..defaults()
            };
            assert_eq!(alice.generate("g", &options).unwrap().info().version, version);
        }
        let stale = GenerateOptions { expect_version: Some(1), ..defaults() };
        assert_eq!(code(alice.generate("g", &stale)), ErrorCode::Conflict);
        let info = alice.describe("g", &defaults()).unwrap();
        assert_eq!((info.content_type.as_str(), info.expires, info.class.as_str()), ("text/plain", Some(end), "machine"));
        assert!(info.require_purpose);
        assert_eq!(code(alice.get("g", &defaults())), ErrorCode::AccessDenied, "it needs a purpose");
        let of = |version| GetOptions { version: Some(version), purpose: Some("backup".into()), ..defaults() };
        assert_eq!(code(alice.get("g", &of(1))), ErrorCode::NotFound, "two are kept");
        assert!(alice.get("g", &of(2)).is_ok());
        let machine = GenerateOptions { owner: Some("machine".into()), ..defaults() };
        assert_eq!(code(alice.generate("m", &machine)), ErrorCode::AccessDenied);
        let made = door.client(&vault, ROOT).generate("m", &machine).unwrap();
        assert_eq!(made.info().owner, "uid:0");
    }
}

through_both_doors! {
    fn impossible_wishes_are_refused(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        for options in [
            GenerateOptions { length: Some(0), ..defaults() },
            GenerateOptions { length: Some(u32::MAX), ..defaults() },
            GenerateOptions { charset: Some("emoji".into()), ..defaults() },
            GenerateOptions { prefix: Some("p".repeat(10_000)), ..defaults() },
            GenerateOptions { prefix: Some("line\nbreak".into()), ..defaults() },
        ] {
            assert_eq!(code(alice.generate("g", &options)), ErrorCode::InvalidArgs, "{options:?}");
        }
    }
}
