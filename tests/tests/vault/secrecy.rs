//! S1: of a thousand names, values, attributes and content types, nothing is found in any file of the vault or a backup
//! of it, nor in what the daemon and the bus logged.

use std::fs;
use std::path::Path;

use tokenvault_proto::{IssueOptions, RedeemOptions};
use tokenvault_tests::{proof, search};

use crate::common::*;
use crate::run::*;

const MARKERS: usize = 1000;
/// Four markers a token: name, value, attribute, content type.
const TOKENS: usize = MARKERS / 4;

/// 16 characters that occur nowhere else. Random, so that no two have a head in common.
fn markers() -> Vec<String> {
    let mut random = vec![0; MARKERS * 8];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom").unwrap(), &mut random).unwrap();
    random.chunks(8).map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect()).collect()
}

/// The bytes of each marker, as text and as the bytes the text spells.
fn needles(markers: &[String]) -> Vec<Vec<u8>> {
    let raw = |marker: &String| {
        let digits = marker.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    };
    markers.iter().flat_map(|marker| [marker.clone().into_bytes(), raw(marker)]).collect()
}

/// What was looked through.
#[derive(Default)]
struct Figure {
    bytes: u64,
    hits: usize,
}

impl Figure {
    fn assert_nowhere(&mut self, root: &Path, needles: &[Vec<u8>], when: &str) {
        let found = search::find_each(root, needles);
        self.bytes += search::bytes_under(root);
        self.hits += found.len();
        assert!(found.is_empty(), "{when}: {} hits, the first in {}", found.len(), found[0].1.display());
    }
}

/// Makes a backup beside the store; how long it is.
fn back_up(vault: &Vault) -> u64 {
    let root = vault.client(ROOT, Door::Socket);
    root.add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
    root.confirm_recovery(&RECOVERY_PRIVATE).unwrap();
    let file = vault.path().join("vault.backup");
    ok(run(vault, ROOT, Door::Socket, &["tokenvaultctl", "backup", "create", file.to_str().unwrap()]));
    fs::metadata(&file).unwrap().len()
}

#[test]
fn nothing_of_a_token_is_found_in_any_file() {
    let mut vault = Vault::builder().limit("writes-per-second", 0).start();
    let markers = markers();
    let needles = needles(&markers);
    let clients = [vault.client(ALICE, Door::Socket), vault.client(BOB, Door::Bus)];
    for (number, chunk) in markers.chunks(4).enumerate() {
        let client = &clients[number % 2];
        let options = PutOptions {
            attributes: attributes(&[("purpose", &chunk[2])]),
            content_type: Some(format!("text/{}", chunk[3])),
            ..defaults()
        };
        client.put(&chunk[0], chunk[1].as_bytes(), &options).unwrap();
        let asked = GetOptions { purpose: Some(chunk[2].clone()), app: Some(chunk[3].clone()), ..defaults() };
        assert_eq!(client.get(&chunk[0], &asked).unwrap().data(), chunk[1].as_bytes());
        if number % 3 == 0 {
            client.rename(&chunk[0], &format!("renamed-{}", chunk[0]), &defaults()).unwrap();
        } else if number % 3 == 1 {
            client.delete(&chunk[0], &defaults()).unwrap();
        }
        code(client.get(&format!("missing-{}", chunk[0]), &defaults()));
        code(client.put(&format!("bad//{}", chunk[0]), chunk[1].as_bytes(), &defaults()));
    }
    let kept: u64 = clients.iter().map(|client| client.status().unwrap().tokens).sum();
    assert!(kept as usize > TOKENS / 2);

    let (backup, audited, mut figure) = (back_up(&vault), audit_records(&vault), Figure::default());
    assert!(backup as usize > TOKENS / 2 * 100, "a backup of {backup} bytes");
    figure.assert_nowhere(vault.path(), &needles, "while running, write-ahead log, backup and logs included");
    vault.kill_daemon();
    figure.assert_nowhere(vault.path(), &needles, "after a crash");
    vault.start_daemon();
    vault.wait_for_state("serving");
    vault.stop_daemon();
    figure.assert_nowhere(vault.path(), &needles, "after a stop");
    assert!(!vault.log().is_empty(), "the log is among the files that were searched");

    // The control: what is there is found.
    let store = vault.state_directory().join("vault.db");
    let mut bytes = fs::read(&store).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16].copy_from_slice(markers[500].as_bytes());
    fs::write(&store, bytes).unwrap();
    fs::write(vault.path().join("planted"), &needles[1]).unwrap();
    assert_eq!(search::find_each(vault.path(), &needles).len(), 2);
    let Figure { bytes, hits } = figure;
    proof(
        "S1",
        &format!(
            "{} markers: {hits} hits in {bytes} bytes of store, its log, {audited} audit records, backup and journal",
            markers.len()
        ),
    );
}

#[test]
fn nothing_of_what_was_issued_or_offered_is_found_in_any_file() {
    let mut vault = Vault::builder().limit("writes-per-second", 0).start();
    let markers = markers();
    let clients = [vault.client(ALICE, Door::Socket), vault.client(BOB, Door::Bus)];
    let mut secrets = Vec::new();
    for (number, chunk) in markers.chunks(4).enumerate() {
        let client = &clients[number % 2];
        client.put(&chunk[0], b"v", &defaults()).unwrap();
        let options = IssueOptions {
            subject: Some(chunk[0].clone()),
            audience: Some(chunk[1].clone()),
            scopes: Some(vec![chunk[2].clone()]),
            claims: attributes(&[("team", &chunk[3])]),
            ..defaults()
        };
        let issued = client.issue(&options).unwrap();
        assert!(client.validate(&issued.token, &defaults()).unwrap().is_some());
        let (offered, _) = client.offer(&chunk[0], &defaults()).unwrap();
        if number % 2 == 0 {
            clients[1].redeem(&offered, &RedeemOptions { purpose: Some(chunk[3].clone()), ..defaults() }).unwrap();
        }
        code(client.redeem(&format!("{}ZZZZ", &offered[..15]), &defaults()));
        // The id, the secret, and the code with and without its hyphens.
        secrets.extend([issued.id, issued.token[27..].to_owned(), offered.replace('-', ""), offered.to_string()]);
    }
    let needles: Vec<Vec<u8>> =
        needles(&markers).into_iter().chain(secrets.iter().map(|s| s.clone().into_bytes())).collect();
    let (audited, mut figure) = (audit_records(&vault), Figure::default());
    figure.assert_nowhere(vault.path(), &needles, "while running, write-ahead log and logs included");
    vault.stop_daemon();
    figure.assert_nowhere(vault.path(), &needles, "after a stop");
    fs::write(vault.path().join("planted"), &secrets[1]).unwrap();
    assert_eq!(search::find_each(vault.path(), &needles).len(), 1, "the control");
    let (Figure { bytes, hits }, all) = (figure, markers.len() + secrets.len());
    proof(
        "S1",
        &format!("{all} of what was issued and offered: {hits} hits in {bytes} bytes, {audited} audit records"),
    );
}

#[test]
fn the_names_of_users_are_not_in_the_store() {
    let mut vault = Vault::start();
    vault.client(ALICE, Door::Socket).put("t", b"v", &defaults()).unwrap();
    vault.stop_daemon();
    assert_eq!(search::files_that_hold(&vault.state_directory(), b"alice"), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_deleted_value_leaves_the_store() {
    let mut vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("keep", b"v", &defaults()).unwrap();
    alice.put("gone", &[b'v'; 30_000], &defaults()).unwrap();
    let row = || {
        let store = rusqlite::Connection::open(vault.state_directory().join("vault.db")).unwrap();
        store.query_row("SELECT dek FROM version ORDER BY id DESC LIMIT 1", [], |row| row.get::<_, Vec<u8>>(0)).unwrap()
    };
    let wrapped_key = row();
    assert_ne!(search::files_that_hold(&vault.state_directory(), &wrapped_key).len(), 0, "the control");
    alice.delete("gone", &defaults()).unwrap();
    wait::until("the key of the deleted value to leave file and log", || {
        search::files_that_hold(&vault.state_directory(), &wrapped_key).is_empty().then_some(())
    });
    vault.kill_daemon();
    assert_eq!(search::files_that_hold(&vault.state_directory(), &wrapped_key).len(), 0);
}

#[test]
fn the_store_belongs_to_the_daemon_alone() {
    use std::os::unix::fs::MetadataExt;
    let vault = Vault::start();
    vault.client(ALICE, Door::Socket).put("t", b"v", &defaults()).unwrap();
    for file in search::files_under(&vault.state_directory()) {
        let meta = fs::metadata(&file).unwrap();
        assert_eq!(meta.mode() & 0o077, 0, "{}", file.display());
        assert_eq!(meta.uid(), tokenvault_tests::DAEMON.uid, "{}", file.display());
    }
}
