//! What a hostile user does.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokenvault_proto::{MANAGER_INTERFACE, TOKENS_INTERFACE};
use tokenvault_tests::{ALICE, BOB, CAROL, Door, RawPeer, Vault, pipe, proof, wait};
use zbus::{Fd, Variant};

use crate::measure::{Bystander, Control, Siege, alone, assert_memory};

/// What somebody lets go by between two calls, who makes as many in two threads as one is listened to who goes on over a limit.
const LISTENED_TO_EVERY: Duration = Duration::from_millis(14);

type Options = HashMap<&'static str, Variant<'static>>;

/// The fixed part of a call that claims a body of 128 MiB less a little, then the beginning of its fields.
pub fn huge_header() -> Vec<u8> {
    let mut header = vec![b'l', 1, 0, 1];
    header.extend((128_u32 * 1024 * 1024 - 64).to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    header.extend(8_u32.to_le_bytes());
    header.extend([1, 1, b'o', 0]);
    header
}

#[test]
fn headers_that_claim_128_mib_cost_nothing() {
    let _alone = alone();
    let mut vault = Vault::builder().limit("connections", 0).start();
    let bob = Bystander::at(&vault, Door::Socket);
    let mut claims: Vec<RawPeer> = (0..40).map(|_| RawPeer::open(&vault, ALICE, Door::Socket)).collect();
    for peer in &mut claims {
        peer.write(&huge_header()).ok();
    }
    let (begun, count, served) = (Instant::now(), claims.len(), bob.is_served());
    for peer in claims {
        assert!(peer.is_hung_up_on(), "a header that claims 128 MiB is not waited for");
    }
    // For the claim itself, and not because the message was slow to come.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let memory = assert_memory(&mut vault);
    proof("S9", &format!("{count} headers that claim 128 MiB: served in {served:.1?}, {memory} MiB"));
}

#[test]
fn values_that_are_never_read_do_not_block_the_bus() {
    let _alone = alone();
    let mut vault = Vault::start();
    let bob = Bystander::at(&vault, Door::Bus);
    vault.client(ALICE, Door::Bus).put("t", b"alice's", &Default::default()).unwrap();
    // The bus counts the descriptors of unread replies against the vault, and takes nothing more from it at 64. Pipes are
    // withdrawn after a while, and lie in the bus all the same.
    let over = Instant::now() + Duration::from_secs(8);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = RawPeer::open(&vault, ALICE, Door::Bus);
            let calls = peer.message(TOKENS_INTERFACE, "Get", &("t", Options::new())).repeat(50);
            while Instant::now() < over {
                peer.flood(&calls, 1);
            }
        });
        while Instant::now() < over {
            bob.is_served();
        }
    });
    let alice = vault.client(ALICE, Door::Bus);
    wait::until("the place of those who are gone", || alice.get("t", &Default::default()).ok());
    assert_memory(&mut vault);
}

#[test]
fn a_client_that_does_not_read_is_not_read_either() {
    const CALLS: usize = 30_000;
    let _alone = alone();
    let mut vault = Vault::start();
    let mut peer = RawPeer::open(&vault, ALICE, Door::Socket);
    let call = peer.message(MANAGER_INTERFACE, "WhoAmI", &Options::new());
    let taken = peer.flood(&call, CALLS);
    println!("calls taken of a client that does not read: {taken}");
    assert!(taken < CALLS / 2, "{taken} calls were taken and not one answer was read");
    assert_memory(&mut vault);
}

#[test]
fn messages_that_are_no_calls_hold_up_nobody() {
    const PEERS: usize = 8;
    let _alone = alone();
    let vault = Vault::start();
    let bob = Bystander::at(&vault, Door::Socket);
    let over = Instant::now() + Duration::from_secs(2);
    thread::scope(|scope| {
        let vault = &vault;
        // Method returns, errors, signals, and a type that nobody knows.
        let flood = |number: usize| {
            let mut peer = RawPeer::open(vault, ALICE, Door::Socket);
            let messages = RawPeer::shortest_message([2, 3, 4, 5][number % 4]).repeat(4096);
            while Instant::now() < over && peer.flood(&messages, 1) == 1 {}
            peer.is_hung_up_on()
        };
        let floods: Vec<_> = (0..PEERS).map(|number| scope.spawn(move || flood(number))).collect();
        while Instant::now() < over {
            bob.is_served();
        }
        assert!(floods.into_iter().all(|flood| flood.join().unwrap()), "who sends nothing but noise is listened to");
    });
}

#[test]
fn a_user_at_ten_times_its_rate_does_not_slow_another() {
    const ATTACKERS: u32 = 2;
    let _alone = alone();
    let mut vault = Vault::builder().limit("misses-per-second", 10).start();
    let mut endured = Vec::new();
    for door in Door::ALL {
        let bob = Bystander::at(&vault, door);
        vault.client(CAROL, door).put("hers", b"carol's", &Default::default()).unwrap();
        let (calls, attacked_us) = (AtomicU64::new(0), AtomicU64::new(0));
        let attack = |siege: &Siege| {
            let wire = vault.wire(ALICE, door);
            siege.begin();
            let begun = Instant::now();
            while siege.goes_on() {
                wire.call(TOKENS_INTERFACE, "Get", &("missing", Options::new())).expect_err("there is none");
                calls.fetch_add(1, Ordering::Relaxed);
            }
            attacked_us.fetch_add(u64::try_from(begun.elapsed().as_micros()).unwrap(), Ordering::Relaxed);
        };
        // One call in a hundred is what a p99 tells of, and any call makes another one wait that comes with it. So who is
        // refused is held against who is within the limits and asks as often as the other is listened to.
        let within = |siege: &Siege| {
            let wire = vault.wire(CAROL, door);
            siege.begin();
            while siege.goes_on() {
                wire.call(TOKENS_INTERFACE, "Describe", &("hers", Options::new())).expect("she is within her limits");
                thread::sleep(LISTENED_TO_EVERY);
            }
        };
        let control = Control { attack: &within, ask: &|| bob.ask() };
        let what = format!("ten times the rate, {door:?}");
        endured.push(format!("{door:?} {}", bob.endures(&what, ATTACKERS as usize, &attack, Some(control))));
        let seconds = Duration::from_micros(attacked_us.into_inner() / u64::from(ATTACKERS)).as_secs_f64();
        let rate = calls.into_inner() as f64 / seconds;
        println!("refusals a second at the {door:?}: {rate:.0}");
        assert!(rate < 150.0, "whoever goes on over a limit is to be listened to less: {rate:.0} calls a second");
    }
    let memory = assert_memory(&mut vault);
    proof("S9", &format!("ten times the rate: {}, {memory} MiB", endured.join(", ")));
}

#[test]
fn calls_that_no_handler_answers_have_a_rate_too() {
    const RATE: u64 = 5;
    let _alone = alone();
    let vault = Vault::builder().limit("reads-per-second", RATE).start();
    let standard = |interface: &str| format!("org.freedesktop.DBus.{interface}");
    let methods = [
        (ALICE, standard("Introspectable"), "Introspect"),
        (BOB, standard("Properties"), "GetAll"),
        (CAROL, format!("{MANAGER_INTERFACE}s"), "WhoAmI"),
    ];
    for (user, interface, method) in methods {
        let mut peer = RawPeer::open(&vault, user, Door::Socket);
        let call = peer.message(&interface, method, &MANAGER_INTERFACE);
        // What may be saved up, and what comes in in a second.
        let calls = 2 * usize::try_from(RATE).unwrap();
        let begun = Instant::now();
        peer.write(&call.repeat(calls)).unwrap();
        for _ in 0..calls {
            let reply = peer.read_reply().expect("it should wait, and be answered");
            assert!(!reply.is_error("LimitsExceeded"), "{method}");
        }
        assert!(begun.elapsed() > Duration::from_millis(900), "{calls} times {method} in {:?}", begun.elapsed());
    }
}

#[test]
fn a_hundred_and_twenty_pipelined_first_calls_do_not_hang_the_bus_door() {
    let _alone = alone();
    let vault = Vault::start();
    let (bob, mut answered, mut longest) = (Bystander::at(&vault, Door::Bus), 0, Duration::ZERO);
    for _ in 0..5 {
        // A new name each time: whoever asks the bus for its owner inside the handler, waits for itself.
        let mut peer = RawPeer::open(&vault, ALICE, Door::Bus);
        let calls: Vec<u8> =
            (0..120).flat_map(|_| peer.message(MANAGER_INTERFACE, "WhoAmI", &Options::new())).collect();
        peer.write(&calls).unwrap();
        longest = longest.max(bob.is_served());
        for number in 0..120 {
            let reply = peer.read_reply().unwrap_or_else(|| panic!("call {number} was not answered"));
            assert!(reply.is_return() || reply.is_error("LimitsExceeded"), "call {number}");
            answered += 1;
        }
    }
    proof("S9", &format!("{answered} pipelined first calls answered: served in {longest:.1?} at most"));
}

#[test]
fn peers_that_never_finish_their_handshake_are_let_go() {
    let _alone = alone();
    let mut vault = Vault::start();
    let before = vault.daemon().process().open_files();
    let bob = Bystander::at(&vault, Door::Socket);
    let mut silent = Vec::new();
    for number in 0..200 {
        // Over its number of connections a peer is turned away; that is as good.
        let Ok(mut stream) = RawPeer::connect(&vault, ALICE, Door::Socket) else { continue };
        let said: &[u8] = [b"".as_slice(), b"\0", b"\0AUTH EXTERNAL ", b"\0AUTH\r\nAUTH\r\n"][number % 4];
        stream.write_all(said).ok();
        silent.push(stream);
    }
    let served = bob.is_served();
    wait::until("half-open connections to be closed", || {
        (vault.daemon().process().open_files() <= before + 3).then_some(())
    });
    RawPeer::open(&vault, ALICE, Door::Socket);
    let (count, memory) = (silent.len(), assert_memory(&mut vault));
    proof("S9", &format!("{count} half-open handshakes: served in {served:.1?}, {memory} MiB"));
}

#[test]
fn a_line_without_end_in_the_handshake_is_cut_off() {
    let _alone = alone();
    let mut vault = Vault::start();
    let mut stream = RawPeer::connect(&vault, ALICE, Door::Socket).unwrap();
    stream.write_all(b"\0").unwrap();
    let chunk = [b'A'; 64 * 1024];
    let sent = (0..2_000).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    // What the kernel holds for a socket, and no more.
    assert!(sent < 32, "{sent} times 64 KiB of handshake were taken");
    assert_memory(&mut vault);
}

#[test]
fn a_thousand_pipes_that_nobody_reads_hold_up_nobody() {
    let _alone = alone();
    let mut vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("big", &[b'v'; 65_536], &Default::default()).unwrap();
    let (asked, held, mut endured) = (AtomicUsize::new(0), AtomicUsize::new(0), Vec::new());
    for door in Door::ALL {
        let bob = Bystander::at(&vault, door);
        let attack = |siege: &Siege| {
            let wire = vault.wire(ALICE, door);
            let get = || {
                asked.fetch_add(1, Ordering::Relaxed);
                wire.call(TOKENS_INTERFACE, "Get", &("big", Options::new()))
            };
            let mut hoard: Vec<_> = std::iter::from_fn(|| get().ok()).collect();
            siege.begin();
            while siege.goes_on() {
                hoard.extend(get());
            }
            held.fetch_max(hoard.len(), Ordering::Relaxed);
        };
        endured.push(format!("{door:?} {}", bob.endures(&format!("pipes never read, {door:?}"), 1, &attack, None)));
    }
    let (asked, held, memory) = (asked.into_inner(), held.into_inner(), assert_memory(&mut vault));
    assert!(asked >= 1_000 && held >= 200, "{asked} asked for, {held} held");
    let endured = endured.join(", ");
    proof("S9", &format!("{asked} pipes asked for, {held} held at once and never read: {endured}, {memory} MiB"));
}

#[test]
fn writers_that_drip_hold_up_nobody() {
    let _alone = alone();
    let mut vault = Vault::builder().limit("in-flight", 32).limit("pipe-seconds", 1).start();
    let mut endured = Vec::new();
    for door in Door::ALL {
        let bob = Bystander::at(&vault, door);
        let attack = |siege: &Siege| {
            let wire = vault.wire(ALICE, door);
            let mut open = Vec::new();
            siege.begin();
            while siege.goes_on() {
                let (reader, writer) = pipe::open();
                let mut writer = std::fs::File::from(writer);
                writer.write_all(b"drip").unwrap();
                // Its end stays open, so the value never ends.
                open.push(writer);
                let put = wire.call(TOKENS_INTERFACE, "Put", &("t", Fd::from(reader), Options::new()));
                put.expect_err("a value that never ended was stored");
            }
        };
        endured.push(format!("{door:?} {}", bob.endures(&format!("writers that drip, {door:?}"), 8, &attack, None)));
    }
    let memory = assert_memory(&mut vault);
    proof("S9", &format!("slow writers: {}, {memory} MiB", endured.join(", ")));
}
