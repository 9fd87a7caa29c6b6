//! What there is to do.

/// The first word of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Hand over the lease, and open the login class with the password.
    Open,
    /// Hand over the lease.
    Lease,
    /// Give the login class the key of a new password beside that of the old one.
    SetKey,
}

impl Verb {
    /// From its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "open" => Self::Open,
            "lease" => Self::Lease,
            "set-key" => Self::SetKey,
            _ => return None,
        })
    }

    /// How many secrets it takes.
    pub const fn secrets(self) -> usize {
        match self {
            Self::Open => 1,
            Self::Lease => 0,
            Self::SetKey => 2,
        }
    }

    /// Whether a lease comes with it.
    pub const fn has_lease(self) -> bool {
        matches!(self, Self::Open | Self::Lease)
    }
}
