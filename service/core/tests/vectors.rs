//! The formats against the vector files, which a second implementation wrote (`tests/vectors/make.py`). Most of them are
//! malformed: each must be refused, by its own cause.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

mod common;

use common::{cases, check, hex, secret, vectors};
use serde_json::Value;
use tokenvault_core::Error;
use tokenvault_core::crypto::{chunk, hpke, kdf, pad, tag, wrap};
use tokenvault_core::issued;
use tokenvault_core::keyring::Keyring;
use tokenvault_core::name::TokenName;
use tokenvault_core::port::{HeapMemory, KeyringRow};

#[test]
fn wrapped_messages_open_or_are_refused_by_cause() {
    let file = vectors("wrap.json");
    for (name, case) in cases(&file, "cases") {
        let (key, aad, blob) = (secret(&hex(&case["key"])), hex(&case["aad"]), hex(&case["blob"]));
        let purpose = case["purpose"].as_str().unwrap();
        let expected = case["plaintext"].as_str().map(|_| hex(&case["plaintext"])).unwrap_or_default();
        let value = wrap::open(&key, purpose, &aad, &blob, &HeapMemory).map(|plain| plain.expose().to_vec());
        check(name, case, value, &expected);
        let record = wrap::open_record(&key, purpose, &aad, &blob).map(|plain| plain.to_vec());
        check(name, case, record, &expected);
    }
}

#[test]
fn chunks_open_where_they_stand_and_nowhere_else() {
    let file = vectors("chunks.json");
    let (key, blob) = (secret(&hex(&file["key"])), hex(&file["blob"]));
    for (name, case) in cases(&file, "cases") {
        let vault = hex(&case["vault"]).try_into().expect("16 bytes");
        let place = chunk::Place {
            vault: &vault,
            content: case["content"].as_i64().unwrap(),
            number: case["number"].as_u64().unwrap().try_into().unwrap(),
            is_last: case["last"].as_bool().unwrap(),
        };
        let len = case["len"].as_u64().unwrap().try_into().unwrap();
        let expected = case["plaintext"].as_str().map(|_| hex(&case["plaintext"])).unwrap_or_default();
        let opened = chunk::open(&key, &place, len, &blob, &HeapMemory);
        check(name, case, opened.map(|part| part.expose().to_vec()), &expected);
    }
}

#[test]
fn messages_to_a_public_key_open_or_are_refused_by_cause() {
    let file = vectors("hpke.json");
    for (name, case) in cases(&file, "cases") {
        let expected = case["plaintext"].as_str().map(|_| hex(&case["plaintext"])).unwrap_or_default();
        let (info, aad, sealed) = (hex(&case["info"]), hex(&case["aad"]), hex(&case["sealed"]));
        let opened = hpke::open(&secret(&hex(&case["private"])), &info, &aad, &sealed, &HeapMemory);
        check(name, case, opened.map(|plain| plain.expose().to_vec()), &expected);
    }
}

#[test]
fn nothing_is_sealed_to_a_public_key_that_cannot_open_it() {
    let file = vectors("hpke.json");
    for (name, case) in cases(&file, "public") {
        check(name, case, hpke::seal(&hex(&case["public"]), b"", b"", b"").map(|_| Vec::new()), b"");
    }
}

#[test]
fn padding_is_taken_only_in_its_one_form() {
    let file = vectors("pad.json");
    for (name, case) in cases(&file, "cases") {
        let padded = hex(&case["padded"]);
        let expected = case["value"].as_str().map(|_| hex(&case["value"])).unwrap_or_default();
        check(name, case, pad::value(&padded).map(<[u8]>::to_vec), &expected);
        if case["error"].is_null() {
            assert!(pad::pad(&expected, &HeapMemory).unwrap().expose() == padded, "'{name}' is padded otherwise");
        }
    }
    for class in file["classes"].as_array().unwrap() {
        let number = |at: usize| usize::try_from(class[at].as_u64().unwrap()).unwrap();
        assert_eq!(pad::padded_len(number(0)), Some(number(1)), "{class}");
    }
}

#[test]
fn token_names_are_taken_or_refused_by_the_rule_they_break() {
    let file = vectors("names.json");
    for (name, case) in cases(&file, "cases") {
        let text = case["text"].as_str().unwrap();
        match (TokenName::parse(text), case["error"].as_str()) {
            (Ok(parsed), None) => assert_eq!(parsed.as_str(), text),
            (Err(Error::InvalidArgs(refusal)), Some(rule)) => {
                assert!(refusal.contains(rule), "'{name}': {refusal}");
                assert!(!refusal.contains(char::is_control), "'{name}' comes back raw");
            }
            (outcome, _) => panic!("'{name}': {outcome:?}"),
        }
    }
}

#[test]
fn derived_keys_and_tags_are_the_documented_ones() {
    let file = vectors("keys.json");
    let tags = &file["tags"];
    let key = secret(&hex(&tags["key"]));
    let derived = kdf::derive(&key, "label", b"context", &HeapMemory).unwrap();
    assert_eq!(derived.expose(), hex(&tags["derived"]));
    assert_eq!(tag::uid_tag(&key, 1000).to_vec(), hex(&tags["uid_1000"]));
    let generation: [u8; 16] = hex(&tags["generation"]).try_into().unwrap();
    let index = tag::principal_index_key(&key, &generation, &HeapMemory).unwrap();
    assert_eq!(index.expose(), hex(&tags["principal_index"]));
    let name = TokenName::parse("ci/deploy").unwrap();
    assert_eq!(tag::name_tag(&index, &name).to_vec(), hex(&tags["name_ci_deploy"]));
    let attribute = tag::attribute_tag(&index, "host", "example.org");
    assert_eq!(attribute.to_vec(), hex(&tags["attribute_host_example_org"]));
}

#[test]
fn issued_tokens_are_read_or_are_none() {
    let file = vectors("issued.json");
    for (name, case) in cases(&file, "cases") {
        let text = case["token"].as_str().unwrap();
        match (issued::read(text), case["error"].is_null()) {
            (Some((id, secret)), true) => {
                assert!(
                    id.as_bytes() == hex(&case["id"]).as_slice() && *secret == hex(&case["secret"])[..],
                    "'{name}'"
                );
                assert_eq!(issued::write(id, &secret).as_str(), text, "'{name}' is written otherwise");
            }
            (None, false) => {}
            (read, _) => panic!("'{name}': {}", if read.is_some() { "was read" } else { "was refused" }),
        }
    }
    let tags = &file["tags"];
    let (key, id) = (secret(&hex(&tags["key"])), hex(&tags["id"]).try_into().unwrap());
    let found = tag::issued_tag(&key, &id);
    assert_eq!(found.to_vec(), hex(&tags["tag"]));
    assert_eq!(tag::issued_hash(&key, &found, &hex(&tags["secret"])).to_vec(), hex(&tags["hash"]));
    assert_eq!(tag::offer_tag(&key, tags["selector"].as_str().unwrap()).to_vec(), hex(&tags["offer"]));
}

#[test]
fn a_keyring_of_the_documented_format_opens() {
    let file = vectors("keys.json");
    let rows: Vec<KeyringRow> = file["keyring"].as_array().unwrap().iter().map(keyring_row).collect();
    let vault_id = hex(&file["vault_id"]).try_into().unwrap();
    let keyring = Keyring::open(&rows, &secret(&hex(&file["vk"])), &vault_id, &HeapMemory).unwrap();
    let keys = &file["keys"];
    assert_eq!(keyring.integrity().expose(), hex(&keys["integrity"]));
    assert_eq!(keyring.index().expose(), hex(&keys["index"]));
    assert_eq!(keyring.tokens().newest().unwrap().expose(), hex(&keys["tokens"]));
    assert_eq!(keyring.audit().newest().unwrap().expose(), hex(&keys["audit"]));
    assert_eq!(keyring.pepper().newest().unwrap().expose(), hex(&keys["pepper"]));
    assert_eq!(keyring.users().newest().unwrap().expose(), hex(&keys["users"]));
}

fn keyring_row(row: &Value) -> KeyringRow {
    KeyringRow {
        purpose: row["purpose"].as_str().unwrap().to_owned(),
        term: row["term"].as_u64().unwrap().try_into().unwrap(),
        wrapped: hex(&row["wrapped"]),
    }
}
