//! A clock that is ten years off, and right again (D5), of a daemon that runs by the clocks of the machine.

use tokenvault_proto::CleanupOptions;

use crate::common::*;

const HOUR: u64 = 3_600_000_000;

/// Starts the daemon with a wall clock that is off by so much.
fn restart_off_by(vault: &mut Vault, off: &str) {
    vault.stop_daemon();
    assert!(vault.start_daemon_off_by(off), "tokenvaultd ended before it was ready");
    vault.wait_for_state("serving");
}

fn trust(vault: &Vault) {
    let trusted = CleanupOptions { clock_is_right: Some(true), ..defaults() };
    vault.client(ROOT, Door::Socket).cleanup(&trusted).unwrap();
}

through_both_doors! {
    fn a_clock_ten_years_back_brings_nothing_back(door) {
        let mut vault = Vault::start();
        let short = PutOptions { ttl: Some(HOUR), ..defaults() };
        vault.client(ALICE, door).put("ends", b"v", &short).unwrap();
        vault.client(ALICE, door).put("stays", b"v", &defaults()).unwrap();
        let issued = vault.client(ALICE, door).issue(&defaults()).unwrap();
        restart_off_by(&mut vault, "+2h");
        trust(&vault);
        for off in ["-10y", "+0"] {
            restart_off_by(&mut vault, off);
            let alice = vault.client(ALICE, door);
            assert_eq!(code(alice.get("ends", &defaults())), ErrorCode::NotFound, "{off}");
            assert_eq!(alice.get("stays", &defaults()).unwrap().data(), b"v");
            assert!(alice.validate(&issued.token, &defaults()).unwrap().is_none(), "{off}");
            let health = vault.client(ROOT, door).health().unwrap();
            assert!(health.clock.contains("behind"), "{}", health.clock);
            // What is stored meanwhile is there as long as it is to be.
            alice.put("new", b"v", &short).unwrap();
            assert_eq!(alice.get("new", &defaults()).unwrap().data(), b"v");
        }
        // The word that the clock is right takes it back.
        trust(&vault);
        assert_eq!(vault.client(ALICE, door).get("ends", &defaults()).unwrap().data(), b"v");
        assert_eq!(vault.client(ROOT, door).health().unwrap().clock, "ok");
    }

    fn a_clock_that_something_synchronises_takes_no_time_back(door) {
        let mut vault = Vault::start();
        let synchronised = CleanupOptions { clock_is_synchronised: Some(true), ..defaults() };
        restart_off_by(&mut vault, "+2h");
        vault.client(ROOT, door).cleanup(&synchronised).unwrap();
        assert_eq!(vault.client(ROOT, door).health().unwrap().clock, "ok");
        restart_off_by(&mut vault, "+0");
        vault.client(ROOT, door).cleanup(&synchronised).unwrap();
        let health = vault.client(ROOT, door).health().unwrap();
        assert!(health.clock.contains("behind"), "{}", health.clock);
        trust(&vault);
        assert_eq!(vault.client(ROOT, door).health().unwrap().clock, "ok");
    }

    fn a_clock_ten_years_ahead_hides_what_ends_and_loses_nothing(door) {
        let mut vault = Vault::start();
        vault.client(ALICE, door).put("ends", b"v", &PutOptions { ttl: Some(HOUR), ..defaults() }).unwrap();
        assert_eq!(vault.client(ROOT, door).health().unwrap().clock, "unconfirmed");
        trust(&vault);
        restart_off_by(&mut vault, "+10y");
        assert_eq!(code(vault.client(ALICE, door).get("ends", &defaults())), ErrorCode::NotFound);
        let report = vault.client(ROOT, door).cleanup(&defaults()).unwrap();
        assert_eq!((report.tokens, report.held_back), (0, 1));
        vault.restart();
        vault.wait_for_state("serving");
        assert_eq!(vault.client(ALICE, door).get("ends", &defaults()).unwrap().data(), b"v");
    }
}
