//! S8: a user was deleted, and somebody else got the uid. From every method, at both doors, the newcomer gets nothing, whether
//! the uid has a name again or none, and whether the vault was told of the deletion or not.

use std::collections::{BTreeSet, HashMap};

use tokenvault_proto::{FetchesOptions, ISSUER_INTERFACE, LOGIN_INTERFACE};
use tokenvault_tests::{Refusal, pipe, proof};
use zbus::{Fd, Message, OwnedVariant, Variant};

use crate::common::*;

const NEWCOMER: User = User { name: "mallory", uid: ALICE.uid };
/// What the deleted user's password gives: the newcomer knows it.
const KEY: [u8; 32] = [7; 32];
/// One token of each class.
const NAMES: [&str; 2] = ["machine-class", "login-class"];
/// Whose tokens are meant.
const OWNERS: [Option<&str>; 4] = [None, Some("uid:4242"), Some("user:mallory"), Some("user:alice")];

const TOKENS: [&str; 16] = [
    "Get", "Describe", "List", "Versions", "Put", "Generate", "Annotate", "Rename", "Rollback", "Share", "Unshare",
    "Shares", "Offer", "Redeem", "Fetches", "Delete",
];
const ISSUER: [&str; 5] = ["Validate", "Issued", "Issue", "Revoke", "RevokeAll"];
/// Those that close something come last.
const LOGIN: [&str; 7] = ["State", "Unlock", "SetKey", "Recover", "Enrol", "Lease", "Lock"];

/// What alice was told, and the newcomer knows.
struct Known {
    /// Opens her login key.
    recovery: String,
    /// Gives the value of her first token, once.
    offer: String,
    /// Where the first page of who fetched her first token ended.
    fetches: String,
    /// A token that she issued, and its id.
    issued: (String, String),
}

/// A method of `Tokens`, about a token.
fn ask_for_token(wire: &Wire, method: &str, name: &str, owner: Option<&str>) -> Result<Message, Refusal> {
    let mut options: HashMap<&str, Variant<'static>> = HashMap::new();
    if let Some(owner) = owner {
        options.insert("owner", Variant::from(owner.to_owned()));
    }
    match method {
        "List" => wire.call(TOKENS_INTERFACE, method, &options),
        "Put" => wire.call(TOKENS_INTERFACE, method, &(name, Fd::from(pipe::holding(b"forged")), options)),
        "Rename" => wire.call(TOKENS_INTERFACE, method, &(name, "renamed", options)),
        "Rollback" => wire.call(TOKENS_INTERFACE, method, &(name, 1_u64, options)),
        "Share" | "Unshare" => wire.call(TOKENS_INTERFACE, method, &(name, "unit:app.service", options)),
        _ => wire.call(TOKENS_INTERFACE, method, &(name, options)),
    }
}

/// `Redeem`, `Fetches` from where alice stopped, and a method of `Issuer`, about what alice has given out.
fn ask_for_given_out(wire: &Wire, method: &str, known: &Known) -> Result<Message, Refusal> {
    if method == "Fetches" {
        let after = HashMap::from([("after", Variant::from(known.fetches.clone()))]);
        return wire.call(TOKENS_INTERFACE, method, &(NAMES[0], after));
    }
    let (options, (token, id)) = (HashMap::<&str, Variant<'static>>::new(), &known.issued);
    match method {
        "Redeem" => wire.call(TOKENS_INTERFACE, method, &(&known.offer, options)),
        "Validate" => wire.call(ISSUER_INTERFACE, method, &(token, options)),
        "Revoke" => wire.call(ISSUER_INTERFACE, method, &(id, options)),
        _ => wire.call(ISSUER_INTERFACE, method, &options),
    }
}

/// A method of `Login`, about the uid.
fn ask_for_login(wire: &Wire, method: &str, recovery: &str) -> Result<Message, Refusal> {
    let (uid, options) = (ALICE.uid, HashMap::<&str, Variant<'static>>::new());
    let held = |bytes: &[u8]| Fd::from(pipe::holding(bytes));
    match method {
        "State" | "Lock" => wire.call(LOGIN_INTERFACE, method, &(uid, options)),
        "SetKey" => wire.call(LOGIN_INTERFACE, method, &(uid, held(&KEY), held(&KEY), options)),
        "Recover" => wire.call(LOGIN_INTERFACE, method, &(uid, held(recovery.as_bytes()), held(&KEY), options)),
        _ => wire.call(LOGIN_INTERFACE, method, &(uid, held(&KEY), options)),
    }
}

/// What was asked, and how much of it was answered with something.
#[derive(Debug, Default)]
struct Figure {
    calls: usize,
    reads: Vec<String>,
}

impl Figure {
    fn note(&mut self, what: String, answer: Result<Message, Refusal>) {
        self.calls += 1;
        match answer {
            Ok(reply) if is_empty(&what, &reply) => {}
            Ok(_) => self.reads.push(what),
            Err(refusal) => {
                let name = refusal.name.strip_prefix("org.tokenvault1.Error.");
                assert!(matches!(name, Some("AccessDenied" | "NotFound")), "{what}: {refusal:?}");
            }
        }
    }

    /// Every method, as one who has the uid or is root, with and without saying whose tokens are meant.
    fn ask_everything(&mut self, wire: &Wire, owners: &[Option<&str>], known: &Known) {
        for (method, owner) in TOKENS.into_iter().flat_map(|method| owners.iter().map(move |owner| (method, *owner))) {
            for name in NAMES.into_iter().filter(|_| method != "Redeem") {
                self.note(format!("{method} of {name} of {owner:?}"), ask_for_token(wire, method, name, owner));
            }
        }
        // What root is given a code for, or issues itself, has nothing to do with the uid.
        for method in ["Redeem", "Fetches"].into_iter().chain(ISSUER).filter(|_| owners.contains(&None)) {
            self.note(method.to_owned(), ask_for_given_out(wire, method, known));
        }
        for method in LOGIN {
            self.note(method.to_owned(), ask_for_login(wire, method, &known.recovery));
        }
    }
}

/// Whether an answer tells nothing: no rows, or nothing but that a login was counted or closed.
fn is_empty(what: &str, reply: &Message) -> bool {
    if what.starts_with("List ") {
        let (rows, next): (Vec<HashMap<String, OwnedVariant>>, String) = reply.body().deserialize().unwrap();
        return rows.is_empty() && next.is_empty();
    }
    if what == "Validate" {
        let (valid, claims): (bool, HashMap<String, OwnedVariant>) = reply.body().deserialize().unwrap();
        return !valid && claims.is_empty();
    }
    matches!(what, "Lease" | "Lock")
}

/// A vault in which alice has a token of each class and is logged in; what she was told, and what keeps her logged in.
fn vault_of_alice() -> (Vault, Known, std::os::fd::OwnedFd) {
    let vault = Vault::builder().limit("misses-per-second", 0).limit("writes-per-second", 0).start();
    let alice = vault.client(ALICE, Door::Socket);
    let recovery = alice.enrol_login(ALICE.uid, &KEY).unwrap().to_string();
    for (name, class) in NAMES.into_iter().zip(["machine", "login"]) {
        let options = PutOptions { class: Some(class.into()), ..defaults() };
        alice.put(name, b"of alice", &options).unwrap();
        alice.put(name, b"of alice, too", &options).unwrap();
        // Twice: it lies opened.
        (0..2).for_each(|_| drop(alice.get(name, &defaults()).unwrap()));
    }
    let (read, write) = pipe::open();
    vault.client(ROOT, Door::Socket).lease_login(ALICE.uid, read).unwrap();
    let issued = alice.issue(&defaults()).unwrap();
    let issued = (issued.token.to_string(), issued.id);
    let (offer, _) = alice.offer(NAMES[0], &defaults()).unwrap();
    let offer = offer.to_string();
    let (_, fetches) = alice.fetches(NAMES[0], &FetchesOptions { limit: Some(1), ..defaults() }).unwrap();
    assert!(!fetches.is_empty());
    (vault, Known { recovery, offer, fetches, issued }, write)
}

/// What the user database says of alice's uid becomes known: the daemon is restarted, with the logins that are open.
fn hand_over(vault: &mut Vault, name: Option<&'static str>) {
    vault.users().hand_over(ALICE.uid, name).unwrap();
    vault.restart_by_manager();
    vault.wait_for_state("serving");
    wait::until("the login key to be open again", || {
        vault.log().contains("logins that were open before the restart are open again (1)").then_some(())
    });
}

/// The uid has no name. The bus lets nobody in who has none.
fn ask_as_nobody(figure: &mut Figure) {
    let (mut vault, known, _logged_in) = vault_of_alice();
    hand_over(&mut vault, None);
    let nobody = vault.wire(NEWCOMER, Door::Socket);
    figure.ask_everything(&nobody, &[None, OWNERS[1]], &known);
}

/// The uid has the name of a newcomer, who asks, and for whom root does when it logs him in; then it is alice's again.
fn ask_for_a_newcomer(door: Door, asking: User, owners: &[Option<&str>], figure: &mut Figure) {
    let (mut vault, known, _logged_in) = vault_of_alice();
    hand_over(&mut vault, Some(NEWCOMER.name));
    let wire = vault.wire(asking, door);
    figure.ask_everything(&wire, owners, &known);
    if asking == NEWCOMER {
        let no_options = HashMap::<&str, Variant<'static>>::new();
        figure.note("Subscribe".to_owned(), wire.call(MANAGER_INTERFACE, "Subscribe", &no_options));
    }

    vault.users().hand_over(ALICE.uid, Some(ALICE.name)).unwrap();
    vault.restart();
    vault.wait_for_state("serving");
    let (alice, mut control) = (vault.wire(ALICE, door), Figure::default());
    for method in ["Get", "Describe", "List ", "Versions"] {
        control.note(method.to_owned(), ask_for_token(&alice, method.trim(), NAMES[0], None));
    }
    for method in ["Validate", "Issued", "Fetches", "Redeem"] {
        control.note(method.to_owned(), ask_for_given_out(&alice, method, &known));
    }
    assert_eq!(control.reads.len(), control.calls, "what was asked for is there: {:?}", control.reads);
}

/// The vault was told that the user is deleted, as userdel does.
fn ask_after_the_hook(door: Door, figure: &mut Figure) {
    let (mut vault, known, _logged_in) = vault_of_alice();
    vault.client(ROOT, Door::Socket).freeze_user(ALICE.uid).unwrap();
    vault.users().hand_over(ALICE.uid, Some(NEWCOMER.name)).unwrap();
    vault.restart();
    vault.wait_for_state("serving");
    figure.ask_everything(&vault.wire(NEWCOMER, door), &OWNERS, &known);
}

/// The methods of an interface, as it is served.
fn methods(vault: &Vault, interface: &str) -> BTreeSet<String> {
    let document = vault.wire(ROOT, Door::Socket).introspect();
    let (_, rest) = document.split_once(&format!("<interface name=\"{interface}\">")).unwrap();
    let (own, _) = rest.split_once("</interface>").unwrap();
    own.split("<method name=\"").skip(1).map(|text| text.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn s8_who_gets_a_used_uid_gets_nothing_with_it() {
    let (mut figure, mut hook) = (Figure::default(), Figure::default());
    ask_as_nobody(&mut figure);
    for door in Door::ALL {
        ask_for_a_newcomer(door, NEWCOMER, &OWNERS, &mut figure);
        ask_for_a_newcomer(door, ROOT, &OWNERS[1..], &mut figure);
        ask_after_the_hook(door, &mut hook);
    }
    assert!(figure.calls > 400 && hook.calls > 200, "{} {}", figure.calls, hook.calls);
    assert!(figure.reads.is_empty() && hook.reads.is_empty(), "{:?} {:?}", figure.reads, hook.reads);
    let told = |figure: &Figure| format!("{} reads in {} calls", figure.reads.len(), figure.calls);
    proof("S8", &format!("without the hook of userdel {}, with it {}", told(&figure), told(&hook)));
}

#[test]
fn every_method_is_among_those_that_are_asked() {
    let vault = Vault::start();
    for (interface, asked) in [(TOKENS_INTERFACE, &TOKENS[..]), (ISSUER_INTERFACE, &ISSUER), (LOGIN_INTERFACE, &LOGIN)]
    {
        assert_eq!(methods(&vault, interface), asked.iter().map(|name| (*name).to_owned()).collect(), "{interface}");
    }
}
