//! `--json`: one document for every command, with the keys of the interface and the units that the help promises.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use tokenvault_proto::IssueOptions;

use crate::audit_log::edit;
use crate::common::*;
use crate::run::*;

const TOKEN: &str =
    "name owner version size class content-type attributes created updated shared permission require-purpose";
const VERSION: &str = "version size created current";
const ISSUED: &str = "id kind subject audience scopes claims issued expires issuer";
const FETCH: &str = "time uid user version count door app purpose unit operation";
const STATUS: &str = "state reason protection vault-id recovery-confirmed lockdown anchor anchor-raises disk-theft machine-theft tokens \
                      bytes quota-tokens quota-bytes next-step";

const AUDIT: &str = "seq time uid operation owner name version outcome count door app purpose pid exe unit";
const USER: &str = "uid user role role-from active state tokens bytes quota-tokens quota-bytes last-seen";

/// A command line, and the keys of its document beside `schema`: of all of it, then of the rows of its only list.
type Case = (&'static [&'static str], &'static [&'static str], &'static str);

/// In an order in which each finds what it needs. Whoever adds a verb adds it here.
const TOKENVAULT: &[Case] = &[
    (&["put", "a"], &["name version"], ""),
    (&["get", "a"], &[TOKEN, "value"], ""),
    (&["generate", "b"], &[TOKEN], ""),
    (&["generate", "b", "--show"], &[TOKEN, "value"], ""),
    (&["describe", "a"], &[TOKEN], ""),
    (&["list"], &["tokens"], TOKEN),
    (&["versions", "a"], &["versions"], VERSION),
    (&["fetches", "a"], &["fetches"], FETCH),
    (&["annotate", "a", "--content-type", "text/plain"], &[], ""),
    (&["rollback", "a", "1"], &["name version"], ""),
    (&["mv", "a", "c"], &[], ""),
    (&["rm", "c"], &[], ""),
    (&["offer", "b"], &["name code id expires attempts-left"], ""),
    (&["redeem", "--from-file", "HOME/offer"], &[TOKEN, "value"], ""),
    (&["issue", "--uses", "2"], &["token id expires"], ""),
    (&["issue", "--kind", "code"], &["token id expires"], ""),
    (&["validate", "--from-file", "HOME/token"], &["valid", ISSUED], ""),
    (&["validate", "--from-file", "HOME/digits", "--id", "ID"], &["valid", ISSUED, "uses-left attempts-left"], ""),
    (
        &["issued", "--kind", "token", "--subject", ""],
        &["issued"],
        "id kind subject audience scopes claims issued expires issuer uses-left",
    ),
    (&["issued", "--subject", "of the file"], &["issued"], ISSUED),
    (&["revoke", "ID"], &[], ""),
    (&["revoke", "--all"], &["count"], ""),
    (&["status"], &[STATUS], ""),
    (&["unlock", "--password-fd", "0", "--recovery-out", "HOME/code"], &[], ""),
    (&["lock"], &[], ""),
    (&["whoami"], &["uid user role door active login-unlocked"], ""),
];
/// The same, of verbs that only root has a use for.
const TOKENVAULT_OF_ROOT: &[Case] = &[
    (&["put", "key"], &["name version"], ""),
    (&["share", "key", "unit:app.service"], &[], ""),
    (&["share", "key", "unit:web@1.service", "--uses", "3", "--expires", "1d", "--permission", "read"], &[], ""),
    (&["unshare", "key", "unit:app.service"], &[], ""),
    (&["shares", "key"], &["shares"], "grantee permission created expires uses-left"),
    (&["unshare", "key", "unit:web@1.service"], &[], ""),
    (&["share", "key", "unit:app.service"], &[], ""),
    (&["shares", "key"], &["shares"], "grantee permission created"),
];
const TOKENVAULTCTL: &[Case] = &[
    (&["init", "--recovery-out", "KEY", "--confirm-from", "KEY"], &[STATUS], ""),
    (&["status"], &[STATUS], ""),
    (&["doctor"], &["ok checks"], "check result message"),
    (&["selftest", "--daemon", "DAEMON"], &["ok steps"], "step ok message"),
    (&["slot", "add", "tpm2"], &["id kind"], ""),
    (&["slot", "list"], &["slots"], "id kind created"),
    (&["slot", "remove", "3"], &[], ""),
    (&["credential", "test", "app.service", "key"], &["unit id granted cause next-step version size"], ""),
    (&["audit", "list", "--operation", "Put"], &["records"], AUDIT),
    (&["audit", "verify"], &["ok records first last chain"], ""),
    (&["verify"], &["ok rows records"], ""),
    (&["rotate", "vk"], &[], ""),
    (&["rotate", "slot", "2"], &[], ""),
    (&["rotate", "user", "root"], &["uid rows values locked"], ""),
    (&["recover", "--from-file", "KEY"], &["tokens"], ""),
    (&["backup", "create", "BACKUP"], &["file rows tokens bytes"], ""),
    (&["backup", "list", "BACKUP"], &["backups"], "file made bytes vault-id instance-id schema recovery-keys"),
    (&["backup", "verify", "BACKUP"], &["ok contents vault-id made bytes"], ""),
    (
        &["backup", "verify", "BACKUP", "--recovery-file", "KEY"],
        &["ok contents vault-id made bytes rows tokens vouched"],
        "",
    ),
    (
        &["backup", "restore", "BACKUP", "--replace", "--recovery-file", "KEY"],
        &["rows tokens bytes made kept slot"],
        "",
    ),
    (&["lockdown", "on"], &[], ""),
    (&["lockdown", "off"], &[], ""),
    (&["notify", "--state", "TOLD", "--", "/bin/true"], &["count"], ""),
    (&["metrics"], &["text"], ""),
    (&["metrics", "--textfile", "PROM"], &[], ""),
    (&["cleanup"], &["tokens versions shares offers issued dry-run held-back damaged more"], ""),
    (&["user", "list"], &["users"], USER),
    (&["user", "show", "root"], &[USER], ""),
    (&["user", "set", "4243", "--role", "consumer"], &[], ""),
    (&["user", "disable", "4243"], &[], ""),
    (&["user", "enable", "4243"], &[], ""),
    (&["user", "freeze", "4243"], &[], ""),
    (&["user", "adopt", "4243"], &[], ""),
    (&["user", "purge", "4243", "--yes"], &[], ""),
    (&["seal"], &[], ""),
    (&["unseal"], &[], ""),
    (&["reload"], &[], ""),
    (&["config", "show", "--config", "CONF"], &["files"], "path text"),
    (&["config", "check", "--config", "CONF", "--daemon", "DAEMON"], &["ok message"], ""),
];
/// These print what is for no program to parse: a script, and whatever the command prints.
const WITHOUT: [&str; 3] = ["completion", "run", "help"];

fn keys(document: &Json) -> BTreeSet<&str> {
    document.as_object().unwrap_or_else(|| panic!("no object: {document}")).keys().map(String::as_str).collect()
}

fn words<'a>(texts: &[&'a str]) -> BTreeSet<&'a str> {
    texts.iter().flat_map(|text| text.split_whitespace()).collect()
}

/// Runs a case in both forms and holds its document against what it should be.
fn assert_document(vault: &Vault, user: User, program: &str, case: &Case, id: &str) {
    let (verb, expected, rows) = case;
    if verb.first() == Some(&"recover") {
        // There must be something to recover from.
        edit(vault, "INSERT INTO meta VALUES ('somebody', x'00')");
        run(vault, user, Door::Socket, &[program, "verify"]);
        vault.wait_for_state("quarantined");
    }
    let mut verb: Vec<String> = verb.iter().map(|word| (*word).to_owned()).collect();
    verb.iter_mut().filter(|word| *word == "ID").for_each(|word| id.clone_into(word));
    let home = vault.path().join("home");
    let places = [
        ("KEY", vault.path().join("recovery-key")),
        ("HOME/code", home.join("code")),
        ("HOME/token", home.join("token")),
        ("HOME/digits", home.join("digits")),
        ("HOME/offer", home.join("offer")),
        ("CONF", vault.path().join("tokenvault.conf")),
        ("TOLD", vault.path().join("told")),
        ("BACKUP", vault.path().join("vault.backup")),
        ("PROM", vault.path().join("tokenvault.prom")),
        ("DAEMON", tokenvault_tests::program::path("tokenvaultd")),
    ];
    for (name, path) in places {
        verb.iter_mut().filter(|word| *word == name).for_each(|word| *word = path.display().to_string());
    }
    let mut arguments = vec![program, "--json=short"];
    arguments.extend(verb.iter().map(String::as_str));
    let text = ok(run_with(vault, user, Door::Socket, &arguments, b"value"));
    assert_eq!(text.lines().count(), 1, "short is one line: {text}");
    let document = json(&text);
    assert_eq!(document["schema"], "tokenvault/1", "{arguments:?}");
    let mut wanted = words(expected);
    wanted.insert("schema");
    assert_eq!(keys(&document), wanted, "{arguments:?}");
    if !rows.is_empty() {
        let list = document.as_object().unwrap().values().find_map(Json::as_array).unwrap();
        assert!(!list.is_empty(), "{arguments:?}");
        list.iter().for_each(|row| assert_eq!(keys(row), words(&[rows]), "{arguments:?}"));
    }
}

/// The verbs that the help of a program names.
fn verbs(vault: &Vault, arguments: &[&str]) -> BTreeSet<String> {
    let help = ok(run(vault, ALICE, Door::Socket, arguments));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What a description goes on with is indented further.
    let verbs = commands.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    verbs.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Has what the commands are to hold up issued, and puts it into files; the id of the code.
fn write_what_is_held_up(vault: &Vault, home: &std::path::Path) -> String {
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("offered", b"v", &defaults()).unwrap();
    let options = IssueOptions { subject: Some("of the file".into()), ..defaults() };
    let digits = alice.issue(&IssueOptions { kind: Some("code".into()), uses: Some(1), ..defaults() }).unwrap();
    std::fs::write(home.join("token"), alice.issue(&options).unwrap().token.as_bytes()).unwrap();
    std::fs::write(home.join("digits"), format!("{}\n", *digits.token)).unwrap();
    std::fs::write(home.join("offer"), alice.offer("offered", &defaults()).unwrap().0.as_bytes()).unwrap();
    digits.id
}

#[test]
fn every_verb_prints_one_document_with_the_keys_of_the_interface() {
    let vault = Vault::start();
    let home = vault.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(ALICE.uid), None).unwrap();
    let id = write_what_is_held_up(&vault, &home);
    for (program, cases) in [
        ("tokenvault", &[(ALICE, TOKENVAULT), (ROOT, TOKENVAULT_OF_ROOT)][..]),
        ("tokenvaultctl", &[(ROOT, TOKENVAULTCTL)]),
    ] {
        for (user, cases) in cases {
            cases.iter().for_each(|case| assert_document(&vault, *user, program, case, &id));
        }
        let cases = cases.iter().flat_map(|(_, cases)| *cases);
        let known: BTreeSet<String> = cases.map(|(verb, ..)| verb[0]).chain(WITHOUT).map(str::to_owned).collect();
        let missing: Vec<String> = verbs(&vault, &[program, "--help"]).difference(&known).cloned().collect();
        assert!(missing.is_empty(), "no case for {missing:?}");
    }
}

#[test]
fn times_are_microseconds_since_the_epoch_and_sizes_bytes() {
    let vault = Vault::start();
    let alice = |arguments: &[&str], input: &[u8]| ok(run_with(&vault, ALICE, Door::Socket, arguments, input));
    let before = now();
    alice(&["tokenvault", "put", "t", "--ttl", "90s", "--attribute", "env=prod"], b"five\n");
    let token = json(&alice(&["tokenvault", "describe", "t", "--json"], b""));
    let number = |key: &str| token[key].as_u64().unwrap_or_else(|| panic!("{key}: {token}"));
    assert!((before..=now()).contains(&number("created")) && number("updated") == number("created"), "{token}");
    assert_eq!((number("expires") - number("created"), number("size")), (90_000_000, 5), "{token}");
    assert_eq!(token["attributes"]["env"], "prod");
    assert_eq!((&token["owner"], &token["shared"]), (&Json::from("uid:4242"), &Json::Bool(false)));
    let status = json(&alice(&["tokenvault", "status", "--json"], b""));
    assert_eq!((&status["quota-tokens"], &status["quota-bytes"]), (&Json::from(10_000), &Json::from(67_108_864)));
}

#[test]
fn a_value_that_is_no_text_is_printed_in_base64() {
    let vault = Vault::start();
    let alice = |arguments: &[&str], input: &[u8]| ok(run_with(&vault, ALICE, Door::Socket, arguments, input));
    alice(&["tokenvault", "put", "text"], "line\n\"é\u{1b}".as_bytes());
    let text = alice(&["tokenvault", "get", "text", "--json"], b"");
    assert!(!text.contains('\u{1b}'), "nothing a terminal would act on");
    assert_eq!(json(&text)["value"], "line\n\"é\u{1b}");
    alice(&["tokenvault", "put", "bytes"], b"\xff\x00");
    let bytes = json(&alice(&["tokenvault", "get", "bytes", "--json=pretty"], b""));
    assert_eq!((&bytes["value-base64"], bytes.get("value")), (&Json::from("/wA="), None));
}

#[test]
fn an_error_is_one_line_and_no_document() {
    let vault = Vault::start();
    let (status, line) = failed(run(&vault, ALICE, Door::Socket, &["tokenvault", "get", "none", "--json"]));
    assert_eq!(status, 3);
    assert!(line.starts_with("tokenvault: ") && line.contains("; "), "{line}");
}

#[test]
fn many_tokens_are_one_document() {
    let vault = Vault::builder().limit("writes-per-second", 0).start();
    let client = vault.client(ALICE, Door::Socket);
    for number in 0..1_005 {
        client.put(&format!("t{number:04}"), b"v", &defaults()).unwrap();
    }
    let listed = json(&ok(run(&vault, ALICE, Door::Socket, &["tokenvault", "list", "--json"])));
    let names: Vec<&str> = listed["tokens"].as_array().unwrap().iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!((names.len(), names[0], names[1_004]), (1_005, "t0000", "t1004"), "more than a page, sorted");
}
