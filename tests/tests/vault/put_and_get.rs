//! The main thing: what was put comes back, and what is put depends on what is there only as asked.

use crate::common::*;

through_every_client! {
    fn a_value_comes_back_byte_for_byte(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let every_byte: Vec<u8> = (0..=255).collect();
        let values = [b"x".to_vec(), every_byte, vec![0; 4096], vec![b'v'; 4097], vec![0xff; 65_536]];
        for (number, value) in values.iter().enumerate() {
            let name = format!("value/{number}");
            assert_eq!(alice.put(&name, value, &defaults()).unwrap(), 1);
            let fetched = alice.get(&name, &defaults()).unwrap();
            assert_eq!(fetched.data(), value, "{name}");
            assert_eq!(fetched.info().size, value.len() as u64, "{name}");
        }
    }

    fn the_metadata_says_what_was_put(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let options = PutOptions {
            content_type: Some("application/json".into()),
            attributes: attributes(&[("env", "prod"), ("team", "père")]),
            ..defaults()
        };
        alice.put("api/key", b"{}", &options).unwrap();
        let info = alice.get("api/key", &defaults()).unwrap().info().clone();
        assert_eq!(info.name, "api/key");
        assert_eq!(info.owner, format!("uid:{}", ALICE.uid));
        assert_eq!((info.version, info.size), (1, 2));
        assert_eq!(info.class, "machine");
        assert_eq!(info.content_type, "application/json");
        assert_eq!(Some(info.attributes.clone()), options.attributes);
        assert!(info.created > 1_600_000_000_000_000 && info.updated >= info.created);
        assert_eq!(info.expires, None);
        assert_eq!((info.shared, info.permission.as_str(), info.require_purpose), (false, "owner", false));
        assert_eq!(alice.describe("api/key", &defaults()).unwrap(), info);
    }

    fn create_refuses_a_name_that_is_taken(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let create = PutOptions { mode: Some("create".into()), ..defaults() };
        assert_eq!(alice.put("a", b"1", &create).unwrap(), 1);
        assert_eq!(code(alice.put("a", b"2", &create)), ErrorCode::Exists);
        assert_eq!(alice.get("a", &defaults()).unwrap().data(), b"1");
    }

    fn replace_refuses_a_name_that_is_free(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let replace = PutOptions { mode: Some("replace".into()), ..defaults() };
        assert_eq!(code(alice.put("a", b"1", &replace)), ErrorCode::NotFound);
        alice.put("a", b"1", &defaults()).unwrap();
        assert_eq!(alice.put("a", b"2", &replace).unwrap(), 2);
    }

    fn a_token_that_asks_for_a_purpose_is_given_for_one_only(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("a", b"1", &PutOptions { require_purpose: Some(true), ..defaults() }).unwrap();
        assert_eq!(code(alice.get("a", &defaults())), ErrorCode::AccessDenied);
        let asked = GetOptions { purpose: Some("nightly backup".into()), app: Some("cron".into()), ..defaults() };
        assert_eq!(alice.get("a", &asked).unwrap().data(), b"1");
    }

    fn a_deleted_token_is_gone_and_its_name_is_free(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("a", b"1", &defaults()).unwrap();
        alice.delete("a", &defaults()).unwrap();
        assert_eq!(code(alice.get("a", &defaults())), ErrorCode::NotFound);
        assert_eq!(code(alice.describe("a", &defaults())), ErrorCode::NotFound);
        assert_eq!(code(alice.delete("a", &defaults())), ErrorCode::NotFound);
        alice.put("a", b"2", &PutOptions { mode: Some("create".into()), ..defaults() }).unwrap();
        assert_eq!(alice.get("a", &defaults()).unwrap().data(), b"2");
        assert_eq!(alice.versions("a", &defaults()).unwrap().len(), 1, "versions of the deleted token stay gone");
    }

    fn a_renamed_token_keeps_everything_but_its_name(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("old", b"1", &PutOptions { attributes: attributes(&[("k", "v")]), ..defaults() }).unwrap();
        alice.put("old", b"2", &defaults()).unwrap();
        alice.rename("old", "new/name", &defaults()).unwrap();
        assert_eq!(code(alice.get("old", &defaults())), ErrorCode::NotFound);
        let fetched = alice.get("new/name", &defaults()).unwrap();
        assert_eq!(fetched.data(), b"2");
        assert_eq!(Some(fetched.info().attributes.clone()), attributes(&[("k", "v")]));
        let first = alice.get("new/name", &GetOptions { version: Some(1), ..defaults() }).unwrap();
        assert_eq!(first.data(), b"1");
    }

    fn a_rename_onto_a_live_token_is_refused(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("a", b"1", &defaults()).unwrap();
        alice.put("b", b"2", &defaults()).unwrap();
        assert_eq!(code(alice.rename("a", "b", &defaults())), ErrorCode::Exists);
        assert_eq!(code(alice.rename("missing", "c", &defaults())), ErrorCode::NotFound);
        assert_eq!(alice.get("a", &defaults()).unwrap().data(), b"1");
        assert_eq!(alice.get("b", &defaults()).unwrap().data(), b"2");
    }
}

through_both_doors! {
    fn a_write_with_an_outdated_version_is_a_conflict(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let expecting = |version| PutOptions { expect_version: Some(version), ..defaults() };
        assert_eq!(alice.put("a", b"1", &expecting(0)).unwrap(), 1);
        assert_eq!(alice.put("a", b"2", &expecting(1)).unwrap(), 2);
        let error = refused(alice.put("a", b"3", &expecting(1)));
        assert_eq!(error.code(), ErrorCode::Conflict);
        assert!(error.to_string().contains('2'), "it names the current version: {error}");
        assert_eq!(code(alice.put("a", b"3", &expecting(0))), ErrorCode::Conflict);
        assert_eq!(alice.get("a", &defaults()).unwrap().data(), b"2");
    }
}

#[test]
fn both_doors_open_onto_the_same_vault() {
    let vault = Vault::start();
    let (socket, bus) = (vault.client(ALICE, Door::Socket), vault.client(ALICE, Door::Bus));
    socket.put("a", b"1", &defaults()).unwrap();
    assert_eq!(bus.get("a", &defaults()).unwrap().data(), b"1");
    assert_eq!(bus.put("a", b"2", &defaults()).unwrap(), 2);
    assert_eq!(socket.get("a", &defaults()).unwrap().data(), b"2");
}

#[test]
fn many_clients_at_once_each_get_their_own() {
    let vault = Vault::start();
    let clients: Vec<_> = (0..16)
        .map(|number| ([ALICE, BOB, CAROL][number % 3], Door::ALL[number % 2], format!("n/{number}")))
        .map(|(user, door, name)| (vault.client(user, door), name))
        .collect();
    std::thread::scope(|scope| {
        for (client, name) in &clients {
            scope.spawn(move || {
                for round in 0..25 {
                    let value = format!("{name} {round}");
                    client.put(name, value.as_bytes(), &defaults()).unwrap();
                    assert_eq!(client.get(name, &defaults()).unwrap().data(), value.as_bytes());
                }
            });
        }
    });
}
