//! Lists of the C library: whole, over any number of pages.

use std::collections::BTreeSet;

use tokenvault_proto::ListOptions;
use tokenvault_tests::{ALICE, CLibrary, Entrance, Tokens, Vault};

/// One more than the vault gives at once.
const TOKENS: usize = 1001;

#[test]
fn a_list_has_every_token_and_as_many_as_asked() {
    let vault = Vault::builder().limit("writes-per-second", 0).start();
    let alice = CLibrary.client(&vault, ALICE);
    let stored: BTreeSet<String> = (0..TOKENS).map(|number| format!("many/{number}")).collect();
    for name in &stored {
        alice.store(name, b"v").unwrap();
    }
    let (tokens, _) = alice.list(&ListOptions::default()).unwrap();
    assert_eq!(tokens.len(), TOKENS);
    assert_eq!(tokens.into_iter().map(|token| token.name).collect::<BTreeSet<_>>(), stored);
    for limit in [1, 7, 1000, 1001, u32::MAX] {
        let options = ListOptions { limit: Some(limit), ..ListOptions::default() };
        let expected = TOKENS.min(usize::try_from(limit).unwrap());
        assert_eq!(alice.list(&options).unwrap().0.len(), expected, "limit {limit}");
    }
}
