//! What the keys of the keyring are for.

/// What a key of the keyring is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// By a label of its own for each: MACs over the slot table and the wrapping of slots' keys with the newest term, and what rows,
    /// anchors, vouchers and backups are told by with the first one that is kept.
    Integrity,
    /// Tags by which rows are found.
    Index,
    /// Hashes of issued tokens.
    Tokens,
    /// The audit chain and its records.
    Audit,
    /// Mixed into login wrappers, so that a copied store allows no guessing of passwords.
    Pepper,
    /// Records and keys of principals.
    Users,
}

impl KeyPurpose {
    /// All of them, in the order they are stored in.
    pub const ALL: [Self; 6] = [Self::Integrity, Self::Index, Self::Tokens, Self::Audit, Self::Pepper, Self::Users];

    /// As the store writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Index => "index",
            Self::Tokens => "tokens",
            Self::Audit => "audit",
            Self::Pepper => "pepper",
            Self::Users => "users",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
}
