//! S2: the state directory on another machine. It does not open there; and where somebody has the vault's key too, what is
//! under a login that is not open stays closed.

use tokenvault_tests::proof;

use crate::common::*;

/// Values of class login, of a user who is not logged in.
const VALUES: usize = 100;
/// What her password gives, and what somebody guesses.
const KEY: [u8; 32] = [7; 32];
const GUESS: [u8; 32] = [8; 32];

fn value(number: usize) -> Vec<u8> {
    format!("of alice {number}").into_bytes()
}

/// How many of her values come out, to her own uid and to root, who says whose they are.
fn read(vault: &Vault, refusals: &[ErrorCode]) -> usize {
    let of_alice = GetOptions { owner: Some(format!("uid:{}", ALICE.uid)), ..defaults() };
    [(ALICE, defaults()), (ROOT, of_alice)]
        .iter()
        .map(|(user, options)| {
            let client = vault.client(*user, Door::Socket);
            let read = |number: &usize| match client.get(&format!("t{number}"), options) {
                Ok(found) => found.data() == value(*number),
                Err(error) => {
                    assert!(refusals.contains(&error.code()), "{error}");
                    false
                }
            };
            (0..VALUES).filter(read).count()
        })
        .sum()
}

#[test]
fn on_another_machine_nothing_opens_and_with_the_key_of_the_vault_no_value_under_a_login() {
    let limits = ["misses-per-second", "reads-per-second", "writes-per-second"];
    let mut vault = limits.iter().fold(Vault::builder(), |builder, limit| builder.limit(limit, 0)).start();
    let (root, alice) = (vault.client(ROOT, Door::Socket), vault.client(ALICE, Door::Socket));
    root.add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
    root.confirm_recovery(&RECOVERY_PRIVATE).unwrap();
    alice.enrol_login(ALICE.uid, &KEY).unwrap();
    alice.put("machine", b"open with the vault", &defaults()).unwrap();
    let login_class = PutOptions { class: Some("login".into()), ..defaults() };
    for number in 0..VALUES {
        alice.put(&format!("t{number}"), &value(number), &login_class).unwrap();
    }
    drop((root, alice));

    vault.stop_daemon();
    vault.swap_tpm();
    vault.start_daemon();
    let status = vault.wait_for_state("sealed");
    assert!(status.reason.contains("WrongTpm"), "{status:?}");
    let root = vault.client(ROOT, Door::Socket);
    let refusal = refused(root.unseal(&[], &defaults())).code();
    assert_eq!(refusal, ErrorCode::WrongTpm);
    let sealed = read(&vault, &[ErrorCode::Sealed]);

    root.unseal(&RECOVERY_PRIVATE, &defaults()).unwrap();
    vault.wait_for_state("serving");
    let alice = vault.client(ALICE, Door::Socket);
    assert_eq!(alice.get("machine", &defaults()).unwrap().data(), b"open with the vault", "the control: it is open");
    assert_eq!(code(root.unlock_login(ALICE.uid, &GUESS)), ErrorCode::AccessDenied);
    let locked = read(&vault, &[ErrorCode::Locked, ErrorCode::NotFound]);
    assert_eq!((sealed, locked), (0, 0));

    alice.unlock_login(ALICE.uid, &KEY).unwrap();
    let unlocked = read(&vault, &[ErrorCode::NotFound]);
    assert_eq!(unlocked, VALUES, "the control: with her password they are there");
    proof(
        "S2",
        &format!(
            "on another TPM the unseal is refused ({refusal:?}), {sealed} of {VALUES} login values; with the vault open \
             and the user logged out {locked}, with her password {unlocked}"
        ),
    );
}
