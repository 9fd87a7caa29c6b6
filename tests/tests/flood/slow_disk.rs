//! A disk that is slow or hangs: what waits for it holds up nobody, and the daemon ends all the same.

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokenvault_client::ShareOptions;
use tokenvault_proto::TOKENS_INTERFACE;
use tokenvault_tests::process::Process;
use tokenvault_tests::service_manager::finish;
use tokenvault_tests::wait::{self, PATIENCE};
use tokenvault_tests::{ALICE, Door, Loaded, ROOT, RawPeer, Vault, pipe};
use zbus::Variant;

use crate::measure::{Bystander, alone};

/// Lets nothing reach the disk any more: whoever asks for that waits for longer than any test.
fn hang_the_disk(pid: u32) -> Process {
    slow_the_disk_down(pid, "600s")
}

/// Has whatever is to reach the disk take so much longer.
fn slow_the_disk_down(pid: u32, by: &str) -> Process {
    let calls = "fsync,fdatasync";
    let strace = Command::new("/usr/bin/strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-p", &pid.to_string(), "-e", &format!("trace={calls}")])
        .args(["-e", &format!("inject={calls}:delay_enter={by}")])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace");
    let strace = Process::adopt(strace);
    wait::until("strace to hold every thread", || {
        let mut threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        threads.all(|thread| is_traced(&thread.path())).then_some(())
    });
    strace
}

fn is_traced(thread: &std::path::Path) -> bool {
    let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
}

/// A vault whose disk hangs, with a read in its audit log that is not on it.
fn vault_whose_disk_hangs() -> (Vault, Process) {
    let mut vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("t", b"v", &Default::default()).unwrap();
    let strace = hang_the_disk(vault.daemon().process().id());
    alice.get("t", &Default::default()).unwrap();
    (vault, strace)
}

/// How the daemon ends. Its last words are all that comes between it and its end; but strace does not let go of a thread
/// that waits, so it has to go first.
fn end_of(vault: &mut Vault, strace: Process, last_words: &str) -> ExitStatus {
    wait::until(last_words, || vault.log().contains(last_words).then_some(()));
    drop(strace);
    vault.daemon().process().wait(PATIENCE).expect("it does not end")
}

#[test]
fn a_disk_that_hangs_does_not_keep_the_daemon_from_ending() {
    let _alone = alone();
    let (mut vault, strace) = vault_whose_disk_hangs();
    vault.daemon().process().signal(Signal::SIGTERM);
    assert!(!end_of(&mut vault, strace, "the last audit records were lost").success(), "nobody is told");
}

#[test]
fn who_is_told_to_stop_twice_ends_at_once() {
    let _alone = alone();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (mut vault, strace) = vault_whose_disk_hangs();
        vault.daemon().process().signal(Signal::SIGTERM);
        wait::until("the daemon to be stopping", || vault.notifications().contains(&"STOPPING=1".into()).then_some(()));
        let begun = Instant::now();
        vault.daemon().process().signal(signal);
        end_of(&mut vault, strace, "told to stop again");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
}

/// Waits until some thread of the daemon is held where it asks for the disk.
fn wait_for_the_disk(pid: u32) {
    let calls = [libc::SYS_fsync, libc::SYS_fdatasync].map(|number| format!("{number} "));
    wait::until("the disk to be asked", || {
        let mut threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let call = |path: std::path::PathBuf| fs::read_to_string(path.join("syscall")).unwrap_or_default();
        threads.any(|thread| calls.iter().any(|number| call(thread.path()).starts_with(number))).then_some(())
    });
}

/// Waits until all that was written lies on the disk: half a second after the last write the store copies its log back, and
/// counts what it has copied when that lies there.
fn wait_until_all_is_written(vault: &Vault) {
    const REST: Duration = Duration::from_secs(1);
    let store = rusqlite::Connection::open(vault.state_directory().join("vault.db")).unwrap();
    let is_copied_back = || {
        let count = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        let (written, copied) = store.query_row("PRAGMA wal_checkpoint(NOOP)", [], count).unwrap();
        written == copied
    };
    wait::until("the store to rest", || {
        let mut files = fs::read_dir(vault.state_directory()).unwrap().flatten();
        let modified = |file: &fs::DirEntry| file.metadata().and_then(|data| data.modified());
        let rests = |file| modified(&file).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > REST));
        (files.all(rests) && is_copied_back()).then_some(())
    });
}

#[test]
fn who_logs_in_again_before_the_logout_had_its_turn_stays_unlocked() {
    const KEYS: [[u8; 32]; 2] = [[7; 32], [8; 32]];
    let _alone = alone();
    let mut vault = Vault::start();
    let (alice, root) = (vault.client(ALICE, Door::Socket), vault.client(ROOT, Door::Socket));
    alice.enrol_login(ALICE.uid, &KEYS[0]).unwrap();
    let log_in = || {
        let (read, write) = pipe::open();
        root.lease_login(ALICE.uid, read).unwrap();
        write
    };
    let first = log_in();
    // What asks for the disk next is the change.
    wait_until_all_is_written(&vault);
    let pid = vault.daemon().process().id();
    let strace = hang_the_disk(pid);
    std::thread::scope(|scope| {
        // A change of the login that waits for the disk, and the logout behind it.
        let setting = vault.client(ROOT, Door::Socket);
        scope.spawn(move || setting.set_login_key(ALICE.uid, &KEYS[0], &KEYS[1]).ok());
        wait_for_the_disk(pid);
        let before = vault.daemon().process().open_pipes();
        drop(first);
        wait::until("the lease to end", || (vault.daemon().process().open_pipes() < before).then_some(()));
        let _second = log_in();
        drop(strace);
        // This one comes after the logout.
        root.set_login_key(ALICE.uid, &KEYS[1], &KEYS[0]).unwrap();
        assert!(alice.login_state(ALICE.uid).unwrap().unlocked);
    });
}

#[test]
fn whoever_looks_who_fetched_sees_what_is_on_its_way_to_the_disk() {
    let _alone = alone();
    let mut vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("t", b"v", &Default::default()).unwrap();
    wait_until_all_is_written(&vault);
    let pid = vault.daemon().process().id();
    let _strace = slow_the_disk_down(pid, "1s");
    alice.get("t", &Default::default()).unwrap();
    wait_for_the_disk(pid);
    assert_eq!(alice.fetches("t", &Default::default()).unwrap().0.len(), 1);
}

/// A vault with a machine token that is shared with a unit.
fn vault_with_credential(request_seconds: u64, reads: &str, uses: Option<u32>) -> Vault {
    let reads = format!("audit.reads = \"{reads}\"");
    let vault = Vault::builder().with_credentials().limit("request-seconds", request_seconds).extra(&reads).start();
    let root = vault.client(ROOT, Door::Socket);
    root.put("key", b"secret", &Default::default()).unwrap();
    root.share("key", "unit:app.service", &ShareOptions { uses, ..Default::default() }).unwrap();
    vault
}

#[test]
fn a_unit_has_nothing_that_the_disk_is_to_know_first_and_does_not() {
    let _alone = alone();
    for (uses, reads) in [(Some(5), "batched"), (Some(5), "durable"), (None, "durable"), (None, "batched")] {
        let mut vault = vault_with_credential(1, reads, uses);
        let strace = hang_the_disk(vault.daemon().process().id());
        let answer = vault.service_manager().load("app.service", "key");
        drop(strace);
        // Where reads are batched, the record of one that is not counted follows.
        let given = Loaded::Credential(b"secret".into());
        let expected = if (uses, reads) == (None, "batched") { given.clone() } else { Loaded::TooLong };
        assert_eq!(answer, expected, "uses {uses:?}, {reads}: {}", vault.log());
        let again = || Some(vault.service_manager().load("app.service", "key")).filter(|answer| *answer == given);
        wait::until("the disk to come back", again);
    }
}

/// A vault, and a unit that asked it for a credential and waits for the disk, with as much time as it likes.
fn unit_that_waits_for_the_disk() -> (Vault, Process, UnixStream) {
    let mut vault = vault_with_credential(0, "batched", Some(1));
    let strace = hang_the_disk(vault.daemon().process().id());
    let asking = vault.service_manager().ask("app.service", "key");
    wait::until("the unit to be let in", || vault.service_manager().has_let_in().then_some(()));
    (vault, strace, asking)
}

#[test]
fn a_unit_that_waits_for_the_disk_is_refused_when_the_daemon_ends() {
    let _alone = alone();
    let (mut vault, strace, asking) = unit_that_waits_for_the_disk();
    vault.daemon().process().signal(Signal::SIGTERM);
    assert_eq!(finish(asking), Loaded::TooLong);
    end_of(&mut vault, strace, "is refused the credential 'key': the vault is stopping; ");
}

#[test]
fn a_unit_that_waits_for_the_disk_is_refused_also_when_the_daemon_ends_at_once() {
    let _alone = alone();
    let (mut vault, strace, asking) = unit_that_waits_for_the_disk();
    vault.daemon().process().signal(Signal::SIGTERM);
    wait::until("the daemon to be stopping", || vault.notifications().contains(&"STOPPING=1".into()).then_some(()));
    let begun = Instant::now();
    vault.daemon().process().signal(Signal::SIGTERM);
    assert_eq!(finish(asking), Loaded::TooLong);
    end_of(&mut vault, strace, "told to stop again");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn a_generated_value_is_whole_however_long_it_took_to_be_stored() {
    let _alone = alone();
    let mut vault = Vault::builder().limit("pipe-seconds", 1).limit("request-seconds", 20).start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("t", b"v", &Default::default()).unwrap();
    let strace = slow_the_disk_down(vault.daemon().process().id(), "1500ms");
    let begun = Instant::now();
    let generated = alice.generate("g", &Default::default()).expect("the value was withdrawn before it was stored");
    assert_eq!(generated.data().len(), 32);
    assert!(begun.elapsed() > Duration::from_secs(1), "the disk was not slow");
    drop(strace);
}

#[test]
fn generated_values_that_wait_for_the_disk_leave_secret_memory_to_the_others() {
    /// More than half of what all values may take of secret memory, and fewer than may wait for the writer.
    const CALLS: usize = 3_500;
    const AT_ONCE: usize = 500;
    let _alone = alone();
    let limits = [("request-seconds", 1), ("in-flight", 0), ("writes-per-second", 0), ("pipes", 0)];
    let builder = limits.into_iter().fold(Vault::builder(), |builder, (key, value)| builder.limit(key, value));
    let mut vault = builder.start();
    let pid = vault.daemon().process().id();
    let bob = Bystander::at(&vault, Door::Socket);
    let mut peer = RawPeer::open(&vault, ALICE, Door::Socket);
    let strace = hang_the_disk(pid);
    let options =
        std::collections::HashMap::from([("length", Variant::from(4096_u32)), ("prefix", Variant::from("p"))]);
    let mut refused = 0;
    for _ in 0..CALLS / AT_ONCE {
        let calls: Vec<u8> =
            (0..AT_ONCE).flat_map(|_| peer.message(TOKENS_INTERFACE, "Generate", &("g", &options))).collect();
        peer.write(&calls).unwrap();
        for _ in 0..AT_ONCE {
            let reply = peer.read_reply().expect("silence");
            refused += usize::from(reply.is_error("end the values you are sending"));
        }
        bob.is_served();
    }
    println!("{refused} of {CALLS} values had no room");
    assert!(refused > 0, "what waits for the disk is not counted");
    drop(strace);
}
