//! Why a unit is not given what it asked for, for whoever reads the journal: each cause with what to do about it.

use crate::error::Error;

/// Why a unit is not given what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum CredentialRefusal {
    /// The id cannot be the name of a token.
    #[error("the id cannot be the name of a token: {0}")]
    NoName(String),
    /// No machine token has that name.
    #[error("there is no machine token of that name")]
    NoToken,
    /// It has one, which has expired.
    #[error("the machine token of that name has expired")]
    TokenExpired,
    /// It opens for somebody who is logged in, and a unit is nobody.
    #[error("the machine token of that name is of class 'login', and units are given class 'machine' only")]
    LoginClass,
    /// It is not shared with the unit.
    #[error("the machine token is not shared with the unit")]
    NotShared,
    /// The share has ended.
    #[error("the share with the unit has expired")]
    ShareExpired,
    /// The share was used as often as it may be.
    #[error("the uses of the share with the unit are up")]
    NoUsesLeft,
    /// It is longer than systemd takes.
    #[error(
        "the value of the machine token has {size} bytes, and systemd takes {limit} of a credential together with its name"
    )]
    TooLarge {
        /// Bytes of the value.
        size: u64,
        /// Most bytes that a value of this name may have.
        limit: u64,
    },
    /// Something that has nothing to do with the share.
    #[error(transparent)]
    Vault(#[from] Error),
}

impl CredentialRefusal {
    /// What an administrator does about it; `unit` and `id` as they were asked for.
    pub fn next_step(&self, unit: &str, id: &str) -> String {
        let share = format!("tokenvault share {id} unit:{unit} --owner machine");
        match self {
            Self::NoName(_) => {
                "name a token in 'LoadCredential=ID:...'; a token for units has no '/' in its name".into()
            }
            Self::NoToken | Self::TokenExpired => {
                format!("run 'tokenvault put {id} --owner machine', then '{share}'")
            }
            Self::NotShared | Self::ShareExpired | Self::NoUsesLeft => format!("run '{share}'"),
            Self::LoginClass => format!("run 'tokenvault put {id} --owner machine --class machine'"),
            Self::TooLarge { .. } => {
                "have the unit fetch it with 'tokenvault get', or store what the unit needs of it as a token of its own"
                    .into()
            }
            Self::Vault(_) => "run 'tokenvaultctl status'".into(),
        }
    }

    /// What the audit log is told.
    pub(super) fn as_error(&self) -> Error {
        match self {
            Self::NoToken | Self::TokenExpired | Self::NoName(_) => Error::NotFound,
            // Nothing is written down of what is no refusal of policy; the text stays with this one.
            Self::Vault(_) | Self::TooLarge { .. } => Error::Internal(String::new()),
            Self::LoginClass | Self::NotShared | Self::ShareExpired | Self::NoUsesLeft => {
                Error::AccessDenied(self.to_string())
            }
        }
    }
}
