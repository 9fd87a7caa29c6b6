//! The commands about issued tokens, codes and offers, as people and scripts use them.

use crate::common::*;
use crate::run::*;

fn tokenvault(vault: &Vault, user: User, arguments: &[&str], input: &str) -> std::process::Output {
    run_with(vault, user, Door::Socket, &[&["tokenvault"], arguments].concat(), input.as_bytes())
}

#[test]
fn a_token_goes_from_issue_to_validate_to_revoke() {
    let vault = Vault::start();
    let words = [
        "issue",
        "--subject",
        "build 7",
        "--audience",
        "user:bob",
        "--scope",
        "read",
        "--scope",
        "write",
        "--claim",
        "team=one",
    ];
    let line = ok(tokenvault(&vault, ALICE, &words, ""));
    let token = line.strip_suffix('\n').unwrap();
    assert!(token.starts_with("tvt_") && token.len() == 76, "{line}");
    for user in [ALICE, BOB] {
        let text = ok(tokenvault(&vault, user, &["validate", "--scope", "read"], &line));
        for expected in [
            "Valid: yes",
            "Subject: build 7",
            "Audience: user:bob",
            "Scopes: read write",
            "Claim: team=one",
            "Issuer: uid:4242",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
    for (user, words) in [(CAROL, &["validate"][..]), (BOB, &["validate", "--scope", "admin"])] {
        let output = tokenvault(&vault, user, words, &line);
        assert_eq!(
            (output.status.code(), output.stdout.as_slice(), output.stderr.as_slice()),
            (Some(1), &b"not valid\n"[..], &b""[..])
        );
    }
    let listed = ok(tokenvault(&vault, ALICE, &["issued"], ""));
    assert!(listed.contains(&token[4..26]) && !listed.contains(&token[27..]), "its id and not its secret: {listed}");
    ok(tokenvault(&vault, ALICE, &["revoke", &token[4..26]], ""));
    assert_eq!(tokenvault(&vault, ALICE, &["validate"], &line).status.code(), Some(1));
    let (status, line) = failed(tokenvault(&vault, ALICE, &["revoke", &token[4..26]], ""));
    assert_eq!((status, line.contains("; ")), (3, true), "{line}");
}

#[test]
fn a_token_is_used_up_by_who_consumes_it() {
    let vault = Vault::start();
    let token = ok(tokenvault(&vault, ALICE, &["issue", "--uses", "1", "--ttl", "5m"], ""));
    assert!(ok(tokenvault(&vault, ALICE, &["validate"], &token)).contains("Uses left: 1"));
    ok(tokenvault(&vault, ALICE, &["validate", "--consume"], &token));
    assert_eq!(tokenvault(&vault, ALICE, &["validate", "--consume"], &token).status.code(), Some(1));
    let json = tokenvault(&vault, ALICE, &["validate", "--json=short"], &token);
    assert_eq!(
        (json.status.code(), String::from_utf8(json.stdout).unwrap().contains("\"valid\":false")),
        (Some(1), true)
    );
}

#[test]
fn a_code_is_printed_behind_its_id() {
    let vault = Vault::start();
    let line = ok(tokenvault(&vault, ALICE, &["issue", "--kind", "code", "--length", "8"], ""));
    let (id, code) = line.trim_end().split_once(' ').unwrap();
    assert_eq!((id.len(), code.len()), (22, 8));
    assert!(ok(tokenvault(&vault, ALICE, &["validate", "--id", id], code)).contains("Attempts left: 5"));
    assert_eq!(ok(tokenvault(&vault, ALICE, &["revoke", "--all", "--kind", "code"], "")), "1\n");
    assert_eq!(ok(tokenvault(&vault, ALICE, &["revoke", "--all"], "")), "0\n");
}

#[test]
fn an_offer_goes_from_one_user_to_another_once() {
    let vault = Vault::start();
    vault.client(ALICE, Door::Socket).put("t", b"value\0", &defaults()).unwrap();
    let code = ok(tokenvault(&vault, ALICE, &["offer", "t"], ""));
    assert_eq!(code.len(), 20, "{code}");
    assert_eq!(tokenvault(&vault, BOB, &["redeem"], &code).stdout, b"value\0");
    let (status, line) = failed(tokenvault(&vault, BOB, &["redeem"], &code));
    assert_eq!(status, 3);
    assert!(line.contains("no such offer") && line.contains("; "), "{line}");
    let (status, _) = failed(tokenvault(&vault, BOB, &["offer", "t"], ""));
    assert_eq!(status, 3);
}

#[test]
fn what_is_on_the_command_line_is_refused_and_not_repeated() {
    let vault = Vault::start();
    for (verb, secret) in [("validate", "tvt_secret"), ("redeem", "0000-1111-2222-3333")] {
        let (status, line) = failed(tokenvault(&vault, ALICE, &[verb, secret], ""));
        assert_eq!(status, 2);
        assert!(line.contains("history") && !line.contains(secret), "{line}");
    }
}

#[test]
fn ids_are_offered_by_the_shell() {
    let vault = Vault::start();
    let id = vault.client(ALICE, Door::Socket).issue(&defaults()).unwrap().id;
    assert_eq!(crate::completion::offered_names(&vault, &format!("tokenvault revoke {}", &id[..3])), [id]);
}
