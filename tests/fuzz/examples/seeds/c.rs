//! What C programs hand over.

use crate::seed;

/// A structure of the size of the header.
const STRUCTURE: &[u8] = &[1];
const NULL: &[u8] = &[0];
const ZERO: &[u8] = &[0; 8];
/// The vault answers as it would.
const ANSWERED: u8 = 2;

fn text(text: &str) -> Vec<u8> {
    [&[text.len() as u8 + 1], text.as_bytes()].concat()
}

fn list(texts: &[&str]) -> Vec<u8> {
    let handed: Vec<u8> = texts.iter().flat_map(|one| text(one)).collect();
    [&[texts.len() as u8 + 1], &handed[..]].concat()
}

fn call(name: &str, number: u8, parts: &[&[u8]]) {
    seed("calls", name, &[number, ANSWERED], &parts.concat());
}

pub fn calls() {
    let name = text("prod/api-key");
    let attributes = list(&["env", "prod", "team", "a"]);
    call("get", 0, &[&name, STRUCTURE, NULL, &text("backup"), &text("app"), &7_u64.to_le_bytes()]);
    call("get-default", 0, &[&name, NULL]);
    let how: &[&[u8]] = &[&text("replace"), NULL, NULL, ZERO, ZERO, &attributes, NULL, ZERO, ZERO, ZERO];
    call("put", 13, &[&name, STRUCTURE, &how.concat(), &[5], b"value"]);
    call("generate", 1, &[&name, STRUCTURE, &32_u64.to_le_bytes(), NULL, &text("tv_"), &how.concat()]);
    call("describe", 2, &[&name, NULL]);
    call("offer", 3, &[&name, NULL]);
    call("redeem", 4, &[&text("code"), NULL]);
    call("claims", 5, &[&text("token"), NULL]);
    call("versions", 6, &[&name, NULL]);
    call("shares", 7, &[&name, NULL]);
    call("list", 8, &[STRUCTURE, NULL, NULL, &attributes, ZERO, ZERO, ZERO]);
    call("issued", 9, &[STRUCTURE, NULL, NULL, NULL, &list(&["read"]), ZERO]);
    let claims = list(&["team", "a"]);
    call("issue", 10, &[STRUCTURE, NULL, NULL, NULL, &list(&["read"]), &claims, ZERO, ZERO, ZERO, ZERO]);
    call("status", 11, &[]);
    call("who-am-i", 12, &[]);
    call("rename", 15, &[&name, &text("prod/other"), NULL]);
    call("share", 18, &[&name, &text("user:bob"), NULL]);
    call("revoke", 21, &[&text("id"), NULL]);
    // A size between two fields, one of the future, and one that nobody has set.
    call("size-between", 0, &[&name, &[193], NULL, NULL, NULL, ZERO, &[12]]);
    call("size-of-future", 0, &[&name, &[225], NULL, NULL, NULL, ZERO, &[16]]);
    call("size-unset", 0, &[&name, &[241], NULL, NULL, NULL, ZERO, &[255; 8]]);
    call("long", 15, &[&[255, b'l'], &name, NULL]);
    call("no-text", 0, &[&[3, 0xff, 0xfe], NULL]);
}
