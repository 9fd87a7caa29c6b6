//! A restart changes nothing, and nothing that was acknowledged is lost.

use std::collections::BTreeMap;
use std::sync::mpsc;

use tokenvault_proto::Status;

use crate::common::*;

/// Everything a user can see of its tokens.
fn everything(client: &Client) -> BTreeMap<String, (TokenInfo, Vec<u8>, Vec<u64>)> {
    let (tokens, _) = client.list(&ListOptions { limit: Some(1000), ..defaults() }).unwrap();
    let look = |info: TokenInfo| {
        let value = client.get(&info.name, &defaults()).unwrap().data().to_vec();
        let versions = client.versions(&info.name, &defaults()).unwrap().iter().map(|v| v.version).collect();
        (info.name.clone(), (info, value, versions))
    };
    tokens.into_iter().map(look).collect()
}

#[test]
fn a_restart_changes_nothing() {
    let mut vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    for number in 0..40 {
        let options = PutOptions {
            attributes: attributes(&[("parity", if number % 2 == 0 { "even" } else { "odd" })]),
            ttl: (number % 5 == 0).then_some(86_400_000_000),
            ..defaults()
        };
        let name = format!("t/{number}");
        for version in 0..=number % 4 {
            alice.put(&name, format!("value {number} {version}").as_bytes(), &options).unwrap();
        }
    }
    alice.delete("t/7", &defaults()).unwrap();
    alice.rename("t/8", "moved", &defaults()).unwrap();
    let (before, status) = (everything(&alice), alice.status().unwrap());
    assert_eq!(before.len(), 39);

    assert!(vault.stop_daemon().success());
    assert!(!vault.socket().exists(), "a daemon that stops in order takes its socket along");
    vault.start_daemon();
    vault.wait_for_state("serving");
    assert_eq!(everything(&vault.client(ALICE, Door::Socket)), before, "after a stop");
    vault.kill_daemon();
    vault.start_daemon();
    vault.wait_for_state("serving");
    let alice = vault.client(ALICE, Door::Bus);
    assert_eq!(everything(&alice), before, "after a crash");
    // But for the TPM's counter, which goes up with every start.
    let now = alice.status().unwrap();
    assert!(now.anchor_raises >= status.anchor_raises, "{now:?}");
    assert_eq!(Status { anchor_raises: status.anchor_raises, ..now }, status);
}

#[test]
fn nothing_acknowledged_is_lost_in_a_crash() {
    let mut vault = Vault::builder().limit("writes-per-second", 0).start();
    for round in 0..3 {
        let clients: Vec<_> = [ALICE, BOB, CAROL].map(|user| (user, vault.client(user, Door::Socket))).into();
        let (report, reports) = mpsc::channel();
        let acknowledged = std::thread::scope(|scope| {
            for (user, client) in &clients {
                let report = report.clone();
                scope.spawn(move || {
                    for number in 0.. {
                        let name = format!("r{round}/{number}");
                        if client.put(&name, name.as_bytes(), &defaults()).is_err() {
                            return;
                        }
                        report.send((*user, name)).unwrap();
                    }
                });
            }
            drop(report);
            // The crash comes in the middle of the writing.
            let mut acknowledged: Vec<_> = reports.iter().take(150).collect();
            vault.kill_daemon();
            acknowledged.extend(reports.iter());
            acknowledged
        });
        drop(clients);
        vault.start_daemon();
        vault.wait_for_state("serving");
        for user in [ALICE, BOB, CAROL] {
            let client = vault.client(user, Door::Socket);
            for (_, name) in acknowledged.iter().filter(|(owner, _)| *owner == user) {
                assert_eq!(client.get(name, &defaults()).unwrap().data(), name.as_bytes());
            }
        }
    }
}

#[test]
fn a_client_goes_on_after_the_daemon_was_restarted() {
    let mut vault = Vault::start();
    // Root: a client that reconnects does so as whoever calls.
    for door in Door::ALL {
        let root = vault.client(ROOT, door);
        root.put("t", b"v", &defaults()).unwrap();
        vault.restart();
        vault.wait_for_state("serving");
        let fetched = wait::until("the door to open again", || root.get("t", &defaults()).ok());
        assert_eq!(fetched.data(), b"v");
    }
}

#[test]
fn a_second_daemon_on_the_same_store_is_refused() {
    let mut vault = Vault::start();
    let second = vault.run_daemon_to_its_end();
    assert!(!second.success());
    vault.client(ALICE, Door::Socket).put("t", b"v", &defaults()).unwrap();
}

#[test]
fn the_service_manager_is_kept_informed() {
    let mut vault = Vault::start();
    vault.stop_daemon();
    let said = vault.notifications();
    assert!(said.iter().any(|line| line.starts_with("STATUS=")), "{said:?}");
    assert!(said.iter().any(|line| line == "STOPPING=1"), "{said:?}");
}

#[test]
fn an_unconfirmed_recovery_key_is_demanded_until_it_is_confirmed() {
    let mut vault = Vault::start();
    let demand = "no recovery key is confirmed";
    let said_last = |vault: &Vault| {
        vault.notifications().iter().rev().find_map(|line| Some(line.strip_prefix("STATUS=")?.to_owned()))
    };
    wait::until("the demand", || vault.log().contains(demand).then_some(()));
    let status = wait::until("the status", || said_last(&vault).filter(|status| status.starts_with("serving: ")));
    assert!(status.contains(demand) && status.ends_with("run 'tokenvaultctl init' to make a recovery key"), "{status}");

    let root = vault.client(ROOT, Door::Socket);
    root.add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
    wait::until("the next step", || said_last(&vault).filter(|status| status.ends_with("--confirm-recovery'")));
    root.confirm_recovery(&RECOVERY_PRIVATE).unwrap();
    wait::until("a status without a demand", || said_last(&vault).filter(|status| status == "serving"));
    let demands = vault.log().matches(demand).count();
    vault.restart();
    vault.wait_for_state("serving");
    vault.stop_daemon();
    assert_eq!(vault.log().matches(demand).count(), demands, "{}", vault.log());
}

#[test]
fn a_user_who_tries_to_administer_is_told_of_in_the_journal_once() {
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    for _ in 0..20 {
        assert_eq!(code(alice.seal()), ErrorCode::AccessDenied);
    }
    let line = format!("uid {} was refused Seal", ALICE.uid);
    assert_eq!(vault.log().matches(&line).count(), 1, "{}", vault.log());
}
