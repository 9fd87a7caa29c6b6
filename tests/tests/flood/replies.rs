//! Replies that nobody reads are kept for those who do not read them, and for nobody else's account.

use std::collections::{BTreeMap, HashMap};

use tokenvault_client::Client;
use tokenvault_proto::{ErrorCode, ListOptions, PutOptions, TOKENS_INTERFACE};
use tokenvault_tests::{ALICE, BOB, Door, RawPeer, Vault, wait};
use zbus::Variant;

use crate::measure::{alone, assert_memory};

type Options = HashMap<&'static str, Variant<'static>>;

/// Calls of one user that are worked on or unanswered.
const IN_FLIGHT: u64 = 16;
/// As many replies of 30 KiB do not fit into a socket.
const CALLS: usize = 40;

fn put_with_much_to_tell(client: &Client, name: &str) {
    let attributes: BTreeMap<_, _> = (0..30).map(|number| (format!("key{number}"), "x".repeat(1_000))).collect();
    client.put(name, b"value", &PutOptions { attributes: Some(attributes), ..PutOptions::default() }).unwrap();
}

#[test]
fn a_call_is_in_flight_until_its_reply_is_out() {
    let _alone = alone();
    let vault = Vault::builder().limit("in-flight", IN_FLIGHT).start();
    let (alice, bob) = (vault.client(ALICE, Door::Socket), vault.client(BOB, Door::Socket));
    put_with_much_to_tell(&alice, "t");
    bob.put("t", b"bob's", &PutOptions::default()).unwrap();

    let mut peer = RawPeer::open(&vault, ALICE, Door::Socket);
    let call = peer.message(TOKENS_INTERFACE, "Describe", &("t", Options::new()));
    peer.write(&call.repeat(CALLS)).unwrap();
    wait::until("the user's calls to be as many as they may be", || {
        let refusal = alice.get("t", &Default::default()).err()?;
        assert_eq!(refusal.code(), ErrorCode::LimitsExceeded, "{refusal}");
        assert!(refusal.to_string().contains("in-flight"), "{refusal}");
        Some(())
    });
    assert_eq!(bob.get("t", &Default::default()).unwrap().data(), b"bob's");

    let told = (0..CALLS).filter(|_| peer.read_reply().expect("a reply").is_return()).count();
    assert!(told >= IN_FLIGHT as usize, "{told}");
    wait::until("the user to be served again", || alice.get("t", &Default::default()).ok());
}

#[test]
fn large_replies_that_nobody_reads_take_little_and_only_their_own_users_part() {
    let _alone = alone();
    let mut vault = Vault::start();
    let (alice, bob) = (vault.client(ALICE, Door::Socket), vault.client(BOB, Door::Socket));
    for number in 0..20 {
        put_with_much_to_tell(&alice, &format!("t{number}"));
        put_with_much_to_tell(&bob, &format!("t{number}"));
    }
    let mut peers: Vec<RawPeer> = (0..40).map(|_| RawPeer::open(&vault, ALICE, Door::Socket)).collect();
    for peer in &mut peers {
        let call = peer.message(TOKENS_INTERFACE, "List", &Options::new());
        peer.write(&call.repeat(CALLS)).unwrap();
    }
    let every_token = ListOptions::default();
    wait::until("the user's replies to be as many as they may be", || {
        let refusal = alice.list(&every_token).err()?;
        assert_eq!(refusal.code(), ErrorCode::LimitsExceeded, "{refusal}");
        refusal.to_string().contains("replies").then_some(())
    });
    let (page, _next) = bob.list(&every_token).unwrap();
    assert!(page.len() > 5, "{}", page.len());
    assert_memory(&mut vault);
    drop(peers);
    wait::until("the user to be served again", || alice.list(&every_token).ok());
}
