//! Whether the store is as the vault wrote it: verified whenever it is opened, and when an administrator asks.

use tokenvault_proto::ADMIN_INTERFACE;

use crate::audit_log::{edit, ended};
use crate::common::*;
use crate::run::*;

/// A vault in which alice has shared something, and has something else.
fn written(door: Door) -> Vault {
    let vault = Vault::start();
    let alice = vault.client(ALICE, door);
    alice.put("a", b"shared", &defaults()).unwrap();
    alice.put("b", b"other", &defaults()).unwrap();
    alice.share("a", &format!("uid:{}", BOB.uid), &defaults()).unwrap();
    alice.put("c", b"1", &defaults()).unwrap();
    vault
}

through_both_doors! {
    fn a_store_that_is_whole_verifies(door) {
        let mut vault = written(door);
        for _ in 0..2 {
            let root = vault.client(ROOT, door);
            let info = ended(&root, root.verify().unwrap());
            assert_eq!((info.state.as_str(), info.operation.as_str(), info.error.as_str()), ("done", "Verify", ""));
            let number = |key| info.result.number(key).unwrap();
            // Three tokens are three rows each, and there are a share and who has them.
            assert!(number("rows") >= 11 && number("records") >= 5, "{info:?}");
            assert_eq!((info.done, info.total), (number("rows") + number("records"), number("rows") + number("records")));
            let before = vault.log().len();
            vault.restart();
            vault.wait_for_state("serving");
            let verified = || vault.log().get(before..)?.contains("are as the vault wrote them").then_some(());
            wait::until("the rows to be verified", verified);
        }
    }

    fn who_is_no_administrator_does_not_verify(door) {
        let vault = Vault::start();
        assert_eq!(code(vault.client(ALICE, door).verify()), ErrorCode::AccessDenied);
        let unknown = std::collections::HashMap::from([("nonsense", zbus::Variant::from(true))]);
        let refusal = vault.wire(ROOT, door).call(ADMIN_INTERFACE, "Verify", &unknown).unwrap_err();
        assert!(refusal.name.ends_with("InvalidArgs") && refusal.text.contains("nonsense"), "{refusal:?}");
        vault.client(ROOT, door).seal().unwrap();
        assert_eq!(code(vault.client(ROOT, door).verify()), ErrorCode::Sealed);
    }

    fn a_row_that_somebody_removed_takes_the_vault_out_of_service_when_it_is_opened(door) {
        let mut vault = written(door);
        vault.stop_daemon();
        edit(&vault, "DELETE FROM version WHERE id >> 28 = 2; DELETE FROM token WHERE id = 2");
        vault.start_daemon();
        let status = vault.wait_for_state("quarantined");
        assert!(status.reason.contains("removed, added or put back") && !status.next_step.is_empty(), "{status:?}");
        let alice = vault.client(ALICE, door);
        assert_eq!(code(alice.get("a", &defaults())), ErrorCode::Quarantined);
        assert_eq!(code(vault.client(ROOT, door).verify()), ErrorCode::Quarantined);
        wait::until("a line in the journal", || vault.log().contains("the vault is quarantined").then_some(()));
    }

    fn a_share_that_was_taken_back_and_is_put_back_takes_the_vault_out_of_service(door) {
        let mut vault = written(door);
        vault.stop_daemon();
        let kept = vault.state_directory().join("kept.db");
        edit(&vault, &format!("VACUUM INTO '{}'", kept.display()));
        vault.start_daemon();
        vault.wait_for_state("serving");
        vault.client(ALICE, door).unshare("a", &format!("uid:{}", BOB.uid), &defaults()).unwrap();
        vault.stop_daemon();
        edit(&vault, &format!("ATTACH '{}' AS kept; INSERT INTO share SELECT * FROM kept.share", kept.display()));
        vault.start_daemon();
        vault.wait_for_state("quarantined");
    }

    fn a_row_that_somebody_changes_while_the_vault_serves_is_found_by_who_asks(door) {
        let vault = written(door);
        edit(&vault, "DELETE FROM share");
        let root = vault.client(ROOT, door);
        let info = ended(&root, root.verify().unwrap());
        assert_eq!(info.state, "failed");
        assert_eq!(info.error_name.as_deref(), Some("org.tokenvault1.Error.Quarantined"));
        let reason = vault.wait_for_state("quarantined").reason;
        assert!(info.error.contains(&reason), "{} and {reason}", info.error);
    }

    fn an_index_that_leads_elsewhere_is_found_by_who_asks(door) {
        let mut vault = written(door);
        vault.stop_daemon();
        // The table stays as it was, and its index does not.
        edit(
            &vault,
            "CREATE TEMP TABLE rows AS SELECT rowid AS id, grantee_tag FROM share;
             CREATE TEMP TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'share_grantee';
             UPDATE share SET grantee_tag = zeroblob(32);
             PRAGMA writable_schema = ON;
             DELETE FROM sqlite_schema WHERE name = 'share_grantee';
             PRAGMA writable_schema = RESET;
             UPDATE share SET grantee_tag = (SELECT grantee_tag FROM rows WHERE rows.id = share.rowid);
             PRAGMA writable_schema = ON;
             INSERT INTO sqlite_schema SELECT * FROM kept;
             PRAGMA writable_schema = RESET",
        );
        vault.start_daemon();
        vault.wait_for_state("serving");
        let root = vault.client(ROOT, door);
        let info = ended(&root, root.verify().unwrap());
        assert_eq!(info.error_name.as_deref(), Some("org.tokenvault1.Error.Quarantined"), "{info:?}");
        assert!(info.error.contains("share_grantee"), "{info:?}");
        vault.wait_for_state("quarantined");
    }

    fn an_audit_log_whose_end_was_cut_off_takes_the_vault_out_of_service(door) {
        let mut vault = written(door);
        vault.stop_daemon();
        edit(&vault, "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)");
        vault.start_daemon();
        assert!(vault.wait_for_state("quarantined").reason.contains("audit log were cut off"), "{}", vault.log());
    }
}

#[test]
fn the_command_says_how_much_was_verified_and_what_is_wrong() {
    let vault = written(Door::Socket);
    let told = run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "verify"]);
    assert!(told.status.success(), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains(" rows and ") && text.ends_with("are as the vault wrote them\n"), "{text}");
    edit(&vault, "DELETE FROM share");
    let told = run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "verify", "--json=short"]);
    assert_eq!(told.status.code(), Some(6));
    assert_eq!(String::from_utf8(told.stdout).unwrap(), "{\"schema\":\"tokenvault/1\",\"ok\":false}\n");
    assert!(String::from_utf8(told.stderr).unwrap().contains("restore a backup"));
}
