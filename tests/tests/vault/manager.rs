//! `Status`, `WhoAmI`, `Health` and the properties.

use std::collections::HashMap;

use crate::common::*;

through_every_client! {
    fn who_am_i_is_what_the_kernel_says(door) {
        let vault = Vault::start();
        for (user, role) in [(ALICE, "developer"), (BOB, "developer"), (ROOT, "admin")] {
            let me = door.client(&vault, user).who_am_i().unwrap();
            assert_eq!((me.uid, me.user.as_str(), me.role.as_str()), (user.uid, user.name, role));
            assert_eq!((me.door.as_str(), me.active, me.login_unlocked), (door.as_str(), true, false));
        }
    }

    fn status_counts_the_callers_own(door) {
        let vault = Vault::builder().limit("tokens", 50).limit("bytes", 1_000_000).start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        for name in ["a", "b", "c"] {
            alice.put(name, &[0; 100], &defaults()).unwrap();
        }
        let status = alice.status().unwrap();
        assert_eq!((status.state.as_str(), status.protection.as_str()), ("serving", "tpm2"));
        assert_eq!((status.tokens, status.quota_tokens, status.quota_bytes), (3, 50, 1_000_000));
        assert!(status.bytes >= 300, "{}", status.bytes);
        assert_eq!(status.vault_id.len(), 32);
        let status = bob.status().unwrap();
        assert_eq!((status.tokens, status.bytes), (0, 0));
        alice.delete("a", &defaults()).unwrap();
        assert_eq!(alice.status().unwrap().tokens, 2);
    }

    fn status_says_what_is_and_what_is_not_protected(door) {
        let vault = Vault::start();
        let status = door.client(&vault, ALICE).status().unwrap();
        assert!(status.disk_theft.starts_with("protected"), "{}", status.disk_theft);
        assert!(status.machine_theft.contains("NOT protected"), "{}", status.machine_theft);
        assert!(!status.recovery_confirmed);
        assert!(status.next_step.contains("tokenvaultctl init"), "{}", status.next_step);
    }
}

through_both_doors! {
    fn health_is_good_when_all_parts_work(door) {
        let vault = Vault::start();
        let health = vault.client(ALICE, door).health().unwrap();
        assert!(health.ok, "{health:?}");
        assert_eq!((health.store.as_str(), health.tpm.as_str(), health.bus.as_str()), ("ok", "ok", "ok"));
        assert!(health.uptime > 0);
    }

    fn properties_are_there_and_announce_no_changes(door) {
        let vault = Vault::start();
        let wire = vault.wire(ALICE, door);
        let reply = wire.call("org.freedesktop.DBus.Properties", "GetAll", &MANAGER_INTERFACE).unwrap();
        let body = reply.body();
        let all: HashMap<String, zbus::OwnedVariant> = body.deserialize().unwrap();
        let text = |key: &str| String::try_from(zbus::Variant::from(all[key].try_clone().unwrap())).unwrap();
        assert_eq!(text("State"), "serving");
        assert_eq!(text("Protection"), "tpm2");
        assert_eq!(text("VaultId"), vault.status().vault_id);
        assert!(text("Version").starts_with(|first: char| first.is_ascii_digit()));
        let document = wire.introspect();
        assert_eq!(document.matches("org.freedesktop.DBus.Property.EmitsChangedSignal\" value=\"false\"").count(), 4);
    }
}
