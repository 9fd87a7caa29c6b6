//! What a token may be called.

use crate::common::*;

/// Every rule of names, broken once or more.
fn malformed() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "./a",
        "a/.",
        "a/..",
        "../a",
        "a/../b",
        "a/./b", // segments
        "a\0b",
        "a\nb",
        "a\tb",
        "\u{7f}",
        "\u{85}",
        "a\u{1b}[2Jb", // control characters
        "\u{378}",
        "a\u{e0fff}",
        "\u{fdd0}",
        "\u{ffff}", // unassigned
        "cafe\u{301}",
        "\u{212b}",
        "\u{1100}\u{1161}", // not NFC
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("x".repeat(256));
    names.push("é".repeat(128));
    names
}

through_every_client! {
    fn every_malformed_name_is_refused_by_every_method(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("a", b"v", &defaults()).unwrap();
        for name in malformed().iter().filter(|name| !name.contains('\0')) {
            let answers = [
                code(alice.put(name, b"v", &defaults())),
                code(alice.generate(name, &defaults())),
                code(alice.get(name, &defaults())),
                code(alice.describe(name, &defaults())),
                code(alice.versions(name, &defaults())),
                code(alice.rollback(name, 1, &defaults())),
                code(alice.annotate(name, &defaults())),
                code(alice.rename(name, "b", &defaults())),
                code(alice.rename("a", name, &defaults())),
                code(alice.delete(name, &defaults())),
            ];
            assert_eq!(answers, [ErrorCode::InvalidArgs; 10], "{name:?}");
            let text = refused(alice.get(name, &defaults())).to_string();
            assert!(text.contains("name"), "{text}");
            assert!(!text.chars().any(char::is_control), "the text does not repeat the name: {text:?}");
        }
        assert_eq!(names(&alice.list(&defaults()).unwrap().0), ["a"]);
    }

    fn names_of_all_scripts_are_different_names(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let longest = "n".repeat(255);
        let good = ["a", "A", "a/b", "a b", "...", "café", "ключ/мир", "鍵", "🔑", "-", "a.b", " a", &longest];
        for name in good {
            alice.put(name, name.as_bytes(), &defaults()).unwrap();
        }
        for name in good {
            assert_eq!(alice.get(name, &defaults()).unwrap().data(), name.as_bytes(), "{name}");
        }
        assert_eq!(alice.list(&defaults()).unwrap().0.len(), good.len());
    }

    fn a_malformed_prefix_is_refused(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        for prefix in ["a//", "/", "../", "cafe\u{301}", "a\n", &"x".repeat(256)] {
            let options = ListOptions { prefix: Some(prefix.into()), ..defaults() };
            assert_eq!(code(alice.list(&options)), ErrorCode::InvalidArgs, "{prefix:?}");
        }
    }
}

through_both_doors! {
    fn a_name_that_cannot_be_sent_is_refused_by_the_client(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        assert_eq!(code(alice.get("a\0b", &defaults())), ErrorCode::InvalidArgs);
        alice.put("a", b"v", &defaults()).unwrap();
    }
}
