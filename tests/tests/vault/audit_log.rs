//! Reading and verifying the audit log, as administrators do, and keeping it short.

use tokenvault_proto::{ADMIN_INTERFACE, AuditInfo, AuditOptions, OperationInfo, SetUserOptions, VerifyAuditOptions};
use tokenvault_tests::polkit::{Polkit, Says};
use zbus::Variant;

use crate::common::*;
use crate::run::*;

/// Waits for the end of an operation.
pub fn ended(client: &Client, id: u64) -> OperationInfo {
    wait::until("the operation to end", || Some(client.operation(id).unwrap()).filter(|info| info.state != "running"))
}

/// Everything that a filter takes.
fn audit(client: &Client, options: &AuditOptions) -> Vec<AuditInfo> {
    let (mut options, mut records) = (options.clone(), Vec::new());
    loop {
        let (page, next) = client.audit(&options).unwrap();
        records.extend(page);
        if next.is_empty() {
            return records;
        }
        options.after = Some(next);
    }
}

/// Edits the store of a stopped vault as somebody who can write it.
pub fn edit(vault: &Vault, sql: &str) {
    let store = rusqlite::Connection::open(vault.state_directory().join("vault.db")).unwrap();
    store.execute_batch(sql).unwrap();
}

through_both_doors! {
    fn what_was_done_is_read_at_once_with_everything_that_is_known_of_it(door) {
        let vault = Vault::start();
        let (alice, root) = (vault.client(ALICE, door), vault.client(ROOT, door));
        alice.put("prod/key", b"v", &defaults()).unwrap();
        let options = GetOptions { purpose: Some("backup".into()), app: Some("cron".into()), ..defaults() };
        alice.get("prod/key", &options).unwrap();
        assert_eq!(code(vault.client(BOB, door).get("prod/key", &defaults())), ErrorCode::NotFound);
        let of_alice = AuditOptions { uid: Some(ALICE.uid), ..defaults() };
        let records = audit(&root, &of_alice);
        let told: Vec<_> = records.iter().map(|record| (record.operation.as_str(), record.version)).collect();
        assert_eq!(told, [("Put", 1), ("Get", 1)]);
        let get = &records[1];
        assert_eq!((get.owner.as_str(), get.name.as_str(), get.outcome.as_str()), ("uid:4242", "prod/key", "ok"));
        assert_eq!((get.app.as_str(), get.purpose.as_str(), get.door.as_str()), ("cron", "backup", door.as_str()));
        assert!(get.seq == records[0].seq + 1 && get.time >= records[0].time && get.count == 1 && get.pid > 0);
        let missed = audit(&root, &AuditOptions { outcome: Some("not-found".into()), ..defaults() });
        assert_eq!((missed.len(), missed[0].uid, missed[0].name.as_str()), (1, BOB.uid, "prod/key"));
        let of_token = AuditOptions { owner: Some("uid:4242".into()), name: Some("prod/key".into()), ..defaults() };
        assert_eq!(audit(&root, &of_token).len(), 2, "what Bob missed is not hers");
        assert_eq!(audit(&root, &AuditOptions { name: Some("prod".into()), ..of_token.clone() }), []);
        assert_eq!(audit(&root, &AuditOptions { owner: Some("uid:4244".into()), ..of_token.clone() }), []);
        let from_then = AuditOptions { since: Some(get.time), ..of_token.clone() };
        assert_eq!(audit(&root, &from_then).len(), 1, "a time counts from itself");
        let before_then = AuditOptions { until: Some(get.time), ..of_token };
        let before: Vec<_> = audit(&root, &before_then).into_iter().map(|record| record.operation).collect();
        assert_eq!(before, ["Put"], "and until before itself");
        let newest = AuditOptions { newest_first: Some(true), limit: Some(1), uid: Some(ALICE.uid), ..defaults() };
        let (page, next) = root.audit(&newest).unwrap();
        assert_eq!((page.len(), page[0].operation.as_str(), next.is_empty()), (1, "Get", false));
    }

    fn who_tries_names_is_seen_with_every_try_while_it_goes_on(door) {
        let vault = Vault::start();
        let (bob, root) = (vault.client(BOB, door), vault.client(ROOT, door));
        let misses = AuditOptions { outcome: Some("not-found".into()), uid: Some(BOB.uid), ..defaults() };
        for tries in 1..=3_u64 {
            for number in 0..5 {
                assert_eq!(code(bob.get(&format!("guess/{number}"), &defaults())), ErrorCode::NotFound);
            }
            let counted: u64 = audit(&root, &misses).iter().map(|record| record.count).sum();
            assert_eq!(counted, 5 * tries);
        }
    }

    fn who_is_no_administrator_reads_and_verifies_nothing_and_is_written_down(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let refusal = refused(alice.audit(&defaults()));
        assert_eq!(refusal.code(), ErrorCode::AccessDenied);
        assert_helpful(&refusal);
        assert_eq!(code(alice.verify_audit(&defaults())), ErrorCode::AccessDenied);
        let denied = AuditOptions { outcome: Some("denied".into()), ..defaults() };
        let told: Vec<_> = audit(&vault.client(ROOT, door), &denied)
            .into_iter()
            .map(|record| (record.uid, record.operation))
            .collect();
        assert_eq!(told, [(ALICE.uid, "Audit".to_owned()), (ALICE.uid, "VerifyAudit".to_owned())]);
    }

    fn an_auditor_reads_the_log_and_administers_nothing(door) {
        let vault = Vault::start();
        let (alice, root) = (vault.client(ALICE, door), vault.client(ROOT, door));
        let auditor = SetUserOptions { role: Some("auditor".into()), ..defaults() };
        root.set_user(ALICE.uid, &auditor).unwrap();
        assert!(audit(&alice, &defaults()).iter().any(|record| record.operation == "SetUser"));
        assert_eq!(code(alice.verify_audit(&defaults())), ErrorCode::AccessDenied);
        assert_eq!(code(alice.slots()), ErrorCode::AccessDenied);
        let of_alice = AuditOptions { uid: Some(ALICE.uid), operation: Some("Audit".into()), ..defaults() };
        assert!(audit(&root, &of_alice).iter().any(|record| record.outcome == "ok"), "and that is in it too");
        root.set_user(ALICE.uid, &SetUserOptions { active: Some(false), ..defaults() }).unwrap();
        assert_eq!(code(alice.audit(&defaults())), ErrorCode::AccessDenied, "a disabled one is none");
    }

    fn a_filter_that_is_wrong_is_refused_by_name(door) {
        let vault = Vault::start();
        let wire = vault.wire(ROOT, door);
        let refusal = |method: &str, key: &str, value: Variant<'static>| {
            let filter = std::collections::HashMap::from([(key.to_owned(), value)]);
            let refusal = wire.call(ADMIN_INTERFACE, method, &filter).unwrap_err();
            assert_eq!(refusal.name, "org.tokenvault1.Error.InvalidArgs", "{key}");
            assert!(refusal.text.contains(&format!("'{key}'")), "{}", refusal.text);
        };
        refusal("Audit", "nonsense", true.into());
        refusal("Audit", "uid", 7_u64.into());
        refusal("Audit", "outcome", "fine".into());
        refusal("Audit", "operation", "no method".into());
        refusal("Audit", "owner", "everybody".into());
        refusal("Audit", "limit", 0_u32.into());
        refusal("Audit", "limit", 1_001_u32.into());
        refusal("Audit", "after", "the beginning".into());
        refusal("VerifyAudit", "nonsense", true.into());
        refusal("VerifyAudit", "seq", 7_u64.into());
        let root = vault.client(ROOT, door);
        let malformed = VerifyAuditOptions { seq: Some(1), chain: Some("é".repeat(32)) };
        assert_eq!(code(root.verify_audit(&malformed)), ErrorCode::InvalidArgs);
    }

    fn a_log_that_is_whole_verifies_and_one_that_is_not_names_the_first_bad_record(door) {
        let mut vault = Vault::start();
        let root = vault.client(ROOT, door);
        for number in 0..10 {
            root.put(&format!("t{number}"), b"v", &defaults()).unwrap();
        }
        let info = ended(&root, root.verify_audit(&defaults()).unwrap());
        assert_eq!((info.state.as_str(), info.operation.as_str(), info.error.as_str()), ("done", "VerifyAudit", ""));
        let number = |key| info.result.number(key).unwrap();
        assert!(number("records") >= 11 && number("first") == 1 && number("last") == number("records"), "{info:?}");
        assert_eq!((info.done, info.total), (number("records"), number("records")));
        assert_eq!(info.result.text("chain").map(str::len), Some(64));
        let against = |chain: &str| VerifyAuditOptions { seq: Some(number("last")), chain: Some(chain.to_owned()) };
        let known = info.result.text("chain").unwrap();
        assert_eq!(ended(&root, root.verify_audit(&against(known)).unwrap()).state, "done");
        let other = ended(&root, root.verify_audit(&against(&known.replace(['0', '1'], "2"))).unwrap());
        assert_eq!(other.result.number("first-bad"), Some(number("last")));
        vault.stop_daemon();
        edit(&vault, "UPDATE audit SET record = zeroblob(length(record)) WHERE seq = 5");
        vault.start_daemon();
        vault.wait_for_state("serving");
        let root = vault.client(ROOT, door);
        let info = ended(&root, root.verify_audit(&defaults()).unwrap());
        assert_eq!((info.state.as_str(), info.result.number("first-bad")), ("failed", Some(5)));
        assert_eq!(info.error_name.as_deref(), Some("org.tokenvault1.Error.Quarantined"));
        assert!(info.error.contains("audit record 5"), "{}", info.error);
        assert!(vault.log().contains("audit record 5 was changed"), "the journal is told");
        let damaged: Vec<_> = audit(&root, &AuditOptions { uid: Some(4_711), ..defaults() });
        assert_eq!(damaged.iter().map(|record| (record.seq, record.outcome.as_str())).collect::<Vec<_>>(), [(5, "damaged")]);
        assert_eq!(root.get("t1", &defaults()).unwrap().data(), b"v", "tokens are served all the same");
    }

    fn a_log_is_cut_to_what_the_settings_say_when_they_change(door) {
        let mut vault = Vault::builder().limit("writes-per-second", 0).start();
        let root = vault.client(ROOT, door);
        for number in 0..300 {
            root.put("t", format!("{number}").as_bytes(), &defaults()).unwrap();
        }
        vault.settings().extra = "audit.records = 100\n".into();
        vault.write_configuration();
        root.reload().unwrap();
        // It may be cut again between two pages of a look: what is compared is of a look without that.
        let (pruned, first) = wait::until("a log that begins where it was cut", || {
            let records = audit(&root, &defaults());
            let pruned = records.iter().rfind(|record| record.operation == "PruneAudit").cloned()?;
            (records[0].seq == pruned.version + 1).then_some((pruned, records[0].seq))
        });
        assert_eq!(pruned.door, "daemon");
        assert!((1..=pruned.version).contains(&pruned.count), "{pruned:?}");
        let info = ended(&root, root.verify_audit(&defaults()).unwrap());
        assert_eq!(info.state, "done");
        assert!(info.result.number("first") >= Some(first), "{info:?}");
    }

    fn what_an_administrator_changes_is_in_the_log_and_in_the_journal(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        root.seal().unwrap();
        root.unseal(&[], &defaults()).unwrap();
        root.reload().unwrap();
        root.slots().unwrap();
        let of_root = AuditOptions { uid: Some(ROOT.uid), ..defaults() };
        for operation in ["Seal", "Unseal", "Reload"] {
            // That it was opened the vault writes down by the way.
            wait::until(operation, || audit(&root, &of_root).into_iter().find(|record| record.operation == operation));
            assert!(vault.log().contains(&format!("uid 0 had {operation} done")), "{operation}: {}", vault.log());
        }
        assert!(!vault.log().contains("had Slots done"), "who only looks changes nothing");
        let refusal = refused(root.unseal(&[7; 32], &defaults()));
        assert_eq!(refusal.code(), ErrorCode::InvalidArgs, "no slot of it takes a secret: {refusal}");
        assert_eq!(vault.log().matches("had Unseal done").count(), 1, "what was refused was not done");
    }

    fn there_is_no_operation_that_nobody_began(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        let refusal = refused(root.operation(1));
        assert_eq!(refusal.code(), ErrorCode::NotFound);
        assert!(refusal.to_string().contains("no operation 1"), "{refusal}");
        assert_eq!(code(root.cancel(1)), ErrorCode::NotFound);
        // One that has ended can be cancelled all the same, and stays what it is.
        let id = root.verify_audit(&defaults()).unwrap();
        assert_eq!(ended(&root, id).state, "done");
        root.cancel(id).unwrap();
        assert_eq!(root.operation(id).unwrap().state, "done");
    }
}

#[test]
fn an_operation_is_seen_by_who_began_it_and_by_root() {
    let vault = Vault::start();
    let _polkit = Polkit::on_the_bus_of(&vault, Says::Yes);
    let alice = vault.client(ALICE, Door::Bus);
    let id = alice.verify_audit(&defaults()).unwrap();
    assert_eq!(ended(&alice, id).state, "done");
    for door in Door::ALL {
        assert_eq!(code(vault.client(BOB, door).operation(id)), ErrorCode::NotFound);
        assert_eq!(code(vault.client(BOB, door).cancel(id)), ErrorCode::NotFound);
        assert_eq!(vault.client(ROOT, door).operation(id).unwrap().operation, "VerifyAudit");
    }
}

#[test]
fn the_commands_list_export_and_verify() {
    let mut vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    for name in ["one", "two\u{a0}", "three"] {
        alice.put(name, b"v", &defaults()).unwrap();
    }
    let root = |vault: &Vault, arguments: &[&str]| {
        run(vault, ROOT, Door::Socket, &[&["tokenvaultctl", "audit"], arguments].concat())
    };
    let listed = ok(root(&vault, &["list", "--operation", "Put", "--uid", "4242", "--limit", "2"]));
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(lines[1].contains("three") && lines[1].contains("uid:4242") && lines[2].contains("two"), "{listed}");
    let file = vault.path().join("log.jsonl");
    let since = ["--since", "1h", "--out", file.to_str().unwrap()];
    ok(root(&vault, &[&["export", "--uid", "4242", "--quiet"], &since[..]].concat()));
    let text = std::fs::read_to_string(&file).unwrap();
    let names: Vec<String> = text.lines().map(|line| json(line)["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["one", "two\u{a0}", "three"]);
    assert!(text.lines().all(|line| json(line)["schema"] == "tokenvault/1"));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let again = failed(root(&vault, &[&["export"], &since[..]].concat()));
    assert_eq!(again.0, 5, "{}", again.1);
    assert!(ok(root(&vault, &["verify"])).contains("records are as they were written, 1 to "));
    let told_at_the_end = |vault: &mut Vault| {
        vault.stop_daemon();
        let log = vault.log();
        let (_, head) = log.rsplit_once("the newest record of the audit log is ").expect("told at the end");
        head.lines().next().unwrap().to_owned()
    };
    let head = told_at_the_end(&mut vault);
    let store = vault.state_directory().join("vault.db");
    let earlier = std::fs::read(&store).unwrap();
    vault.start_daemon();
    vault.wait_for_state("serving");
    assert!(ok(root(&vault, &["verify", "--against", &head])).contains("is the one of the journal"));
    vault.client(ALICE, Door::Socket).put("four", b"v", &defaults()).unwrap();
    let head = told_at_the_end(&mut vault);
    // The whole store as it was.
    std::fs::write(&store, earlier).unwrap();
    vault.start_daemon();
    vault.wait_for_state("serving");
    ok(root(&vault, &["verify"]));
    let (status, line) = failed(root(&vault, &["verify", "--against", &head]));
    assert_eq!(status, 6, "{line}");
    assert!(line.contains("audit record ") && line.contains("; "), "{line}");
}
