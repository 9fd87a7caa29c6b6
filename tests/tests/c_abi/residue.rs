//! S11: after thousands of values and keys have passed, no copy of one is left in the memory of the client, of the bus or
//! of the vault.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use tokenvault_client::Client;
use tokenvault_proto::{AddSlotOptions, GetOptions};
use tokenvault_tests::{ALICE, Door, ROOT, Vault, memory, proof, stage, times};

use crate::kit::{self, Under};

/// Values that are put and that are got, at least.
const CALLS: u64 = 10_000;
/// Times the vault is sealed and opened again: usually, and as promised.
const UNSEALS: (usize, usize) = (200, 10_000);

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}

/// Runs the C program at a door until all its values have passed; it goes on to wait.
fn exchange(command: &mut Command, value: &[u8]) -> Child {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(value).unwrap();
    let mut word = [0; 5];
    child.stdout.as_mut().unwrap().read_exact(&mut word).expect("the C program failed; see its words above");
    child
}

/// What was searched.
#[derive(Default)]
struct Figure {
    searches: usize,
    residues: usize,
}

impl Figure {
    /// A copy may have lost its beginning or its end.
    #[track_caller]
    fn assert_no_copy(&mut self, pid: u32, secret: &[u8], what: &str) {
        for half in secret.chunks(secret.len() / 2) {
            let found = memory::regions_that_hold(pid, half);
            self.residues += found.len();
            assert!(found.is_empty(), "{what}: {found:#?}");
        }
        self.searches += 1;
    }
}

/// How many calls of a method went well, as the daemon counts them.
fn done(vault: &Vault, method: &str) -> u64 {
    let begins = format!("tokenvault_calls_total{{method=\"{method}\",outcome=\"ok\"}} ");
    let page = vault.client(ROOT, Door::Socket).metrics().unwrap();
    page.lines().find_map(|line| line.strip_prefix(&begins)).expect("it is counted").parse().unwrap()
}

#[test]
fn no_copy_of_a_value_is_left_anywhere() {
    let mut vault = Vault::builder().limit("writes-per-second", 0).start();
    let program = kit::compile(&vault, &kit::source("residue.c"), Under::Plain);
    let (mut figure, mut planted_ones) = (Figure::default(), 0);
    for door in Door::ALL {
        let value = random();
        // Without the watchman of the other programs: it is the program itself that is searched.
        let command = || {
            let mut command = ALICE.command(&program);
            command.env("TOKENVAULT_ADDRESS", vault.address_text(door));
            command.env("LD_LIBRARY_PATH", stage::library_directory());
            // Binding a function at its first call saves the vector registers on the stack, the program's own use of the
            // value included.
            command.env("LD_BIND_NOW", "1");
            command
        };
        let mut client = exchange(&mut command(), &value);
        let mut planted = exchange(command().arg("plant"), &value);
        figure.assert_no_copy(client.id(), &value, &format!("client, {door:?}"));
        assert!(!memory::regions_that_hold(planted.id(), &value).is_empty(), "the control: a planted copy is found");
        planted_ones += 1;
        for child in [&mut client, &mut planted] {
            drop(child.stdin.take());
            assert!(child.wait().unwrap().success());
        }
        let (daemon, bus) = (vault.daemon().process().id(), vault.bus_process().id());
        figure.assert_no_copy(daemon, &value, &format!("daemon, {door:?}"));
        figure.assert_no_copy(bus, &value, &format!("bus, {door:?}"));
    }
    // The control: what is no secret and goes the same ways is found in both.
    let app = format!("{:032x}", u128::from_ne_bytes(random()[..16].try_into().unwrap()));
    let asked = GetOptions { app: Some(app.clone()), ..GetOptions::default() };
    vault.client(ALICE, Door::Bus).get("residue/0", &asked).unwrap();
    assert!(!memory::regions_that_hold(vault.daemon().process().id(), app.as_bytes()).is_empty());
    assert!(!memory::regions_that_hold(vault.bus_process().id(), app.as_bytes()).is_empty());
    let (gets, puts) = (done(&vault, "Tokens.Get"), done(&vault, "Tokens.Put"));
    assert!(gets >= CALLS && puts >= CALLS);
    let Figure { searches, residues } = figure;
    proof(
        "S11",
        &format!(
            "after {gets} Gets and {puts} Puts {residues} residues in {searches} searches of client, daemon and bus, \
             {planted_ones} planted copies found"
        ),
    );
}

fn add_passphrase(root: &Client, key: &[u8]) {
    let options = AddSlotOptions { salt: Some(vec![3; 16]), params: Some("$argon2id$v=19$m=65536,t=3,p=1".into()) };
    root.add_slot("passphrase", key, &options).unwrap();
}

#[test]
fn no_copy_of_a_key_that_opens_the_vault_is_left_in_the_daemon() {
    let mut vault = Vault::builder().allow_host_key().start();
    let root = vault.client(ROOT, Door::Socket);
    let key = random();
    add_passphrase(&root, &key);
    root.add_slot("host-key", &[], &AddSlotOptions::default()).unwrap();
    let host_key = std::fs::read(vault.state_directory().join("host.key")).unwrap();
    for round in 0..times(UNSEALS.0, UNSEALS.1) {
        root.seal().unwrap();
        root.unseal(if round % 4 == 3 { &[] } else { &key }, &Default::default()).unwrap();
    }
    let daemon = vault.daemon().process().id();
    let mut figure = Figure::default();
    figure.assert_no_copy(daemon, &key, "passphrase key");
    figure.assert_no_copy(daemon, &host_key, "host key");
    let Figure { searches, residues } = figure;
    let unseals = done(&vault, "Admin.Unseal");
    proof("S11", &format!("after {unseals} Unseals {residues} residues of {searches} keys in the daemon"));
}
