//! The kinds of events that the journal knows by a number, for `journalctl MESSAGE_ID=` and `journalctl --catalog`.
//!
//! Frozen: administrators search and alert by them. One is never changed and never used for something else. What each means
//! and what to do about it stands in `systemd/tokenvault.catalog`.
//!
//! `log::info!(MESSAGE_ID = event::OPENED; "...")`

/// The daemon answers.
pub const STARTED: &str = "b3ba0c43e4104d85ab6899c2eb0cf4f5";
/// The vault was opened.
pub const OPENED: &str = "34c3405679c442a1aa9eb8f45df0ba5c";
/// The vault is sealed; why.
pub const SEALED: &str = "ccaeffdb390a4a399dc5e471697a5166";
/// There is no vault yet; why.
pub const UNINITIALISED: &str = "6cf8e4d40e394a96b540c0ccf71a6a82";
/// Nothing can be written; why.
pub const READ_ONLY: &str = "763e08707d554d9f82ab234f225d86c3";
/// The store did not verify; what is wrong with it.
pub const QUARANTINED: &str = "161d8889b8ac47c8adeb892f1c87914f";
/// Nobody has shown yet that he has the recovery key.
pub const RECOVERY_UNCONFIRMED: &str = "f337128a659f47c6a6d9eb4b6fb7b518";
/// Somebody who may not administer the vault tried to.
pub const ADMIN_REFUSED: &str = "376b26fb20d4488ba3de26743b8ff9b3";
/// An administrator changed something.
pub const ADMIN_DONE: &str = "964d18b7e24641cebbb27ed8e5209b25";
/// A user's tokens of class `login` were unlocked.
pub const LOGIN_UNLOCKED: &str = "8d7257ad49be4610bab1d11aae36bf80";
/// A user's tokens of class `login` were locked.
pub const LOGIN_LOCKED: &str = "4ccd647b1a1f41279638bbe03142a847";
/// A unit was given a credential.
pub const CREDENTIAL_GRANTED: &str = "1b0a1b77b04b494f8a7632188ac6f712";
/// A unit was refused a credential; why.
pub const CREDENTIAL_REFUSED: &str = "587f1af28c9c424b928db8abc40f312e";
/// Number and chain value of the newest record of the audit log: what its end can be held against.
pub const AUDIT_HEAD: &str = "0a8bdad12ede47edb4515092cb7e3c48";
/// Old records of the audit log were let go.
pub const AUDIT_PRUNED: &str = "a062fead1c7e41118527c8ccd7987a3a";
/// The audit log was verified, and is not as it was written.
pub const AUDIT_BROKEN: &str = "cd05d4b9726a48a5a534255418805dc3";
/// The store is not the one the TPM remembers, and the vault serves all the same.
pub const ANCHOR_DOUBTED: &str = "4e33a46497a14f05b8ecdf0645b3f078";
/// An administrator with the recovery key has taken a store as it is that the vault was out of service for.
pub const RECOVERED: &str = "3b72d74d24184277bfa13ed86802161e";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// The text between `const` and the end of the line, of each constant of this file.
    fn ids_of_the_code() -> BTreeSet<&'static str> {
        let lines = include_str!("event.rs").lines().filter(|line| line.starts_with("pub const "));
        lines.filter_map(|line| line.split('"').nth(1)).collect()
    }

    fn catalog() -> String {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../systemd/tokenvault.catalog");
        std::fs::read_to_string(file).unwrap()
    }

    #[test]
    fn every_event_is_explained_in_the_catalog_and_nothing_else_is() {
        let catalog = catalog();
        let entries: Vec<&str> = catalog.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
        let explained: BTreeSet<&str> = entries.iter().copied().collect();
        assert_eq!(entries.len(), explained.len(), "one is explained twice");
        assert_eq!(ids_of_the_code(), explained);
        assert_eq!(explained.len(), 18);
        assert!(explained.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }

    #[test]
    fn every_entry_says_what_it_is_about_and_where_to_read_on() {
        for entry in catalog().split("\n-- ").skip(1) {
            for field in ["Subject: ", "Defined-By: tokenvault", "Documentation: man:"] {
                assert!(entry.lines().any(|line| line.starts_with(field)), "{field} of\n{entry}");
            }
            assert!(entry.split_once("\n\n").is_some_and(|(_, text)| text.trim().len() > 40), "{entry}");
        }
    }
}
