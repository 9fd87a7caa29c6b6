//! One record of the audit log.

use minicbor::{Decode, Encode};

use crate::caller::Door;
use crate::{Caller, Error, Timestamp};

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Outcome {
    /// Done.
    #[n(0)]
    Ok,
    /// Refused by policy.
    #[n(1)]
    Denied,
    /// No such token, or none this caller may know of.
    #[n(2)]
    NotFound,
    /// Not done for another reason.
    #[n(3)]
    Failed,
}

impl Outcome {
    /// As the interface writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::NotFound => "not-found",
            Self::Failed => "failed",
        }
    }

    /// From the interface's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Ok, Self::Denied, Self::NotFound, Self::Failed].into_iter().find(|outcome| outcome.as_str() == word)
    }

    /// The outcome an error stands for.
    pub const fn of(error: &Error) -> Self {
        match error {
            Error::NotFound | Error::ShareOver | Error::NotShared | Error::NoOffer | Error::OfferOver => Self::NotFound,
            Error::AccessDenied(_) | Error::InteractionRequired(_) | Error::Locked | Error::OwnerLocked => Self::Denied,
            _ => Self::Failed,
        }
    }
}

/// What is written down of an operation. Never a value. Pid, app and purpose are hints.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AuditRecord {
    /// When it happened, or the first of a folded run.
    #[n(0)]
    pub time: Timestamp,
    /// Who asked.
    #[n(1)]
    pub uid: u32,
    /// Method name.
    #[n(2)]
    pub operation: String,
    /// Whose token was meant.
    #[n(3)]
    pub owner: Option<u32>,
    /// Its name; empty where there is none, and in folded denials.
    #[n(4)]
    pub name: String,
    /// Its version; 0 where there is none.
    #[n(5)]
    pub version: u64,
    /// How it ended.
    #[n(6)]
    pub outcome: Outcome,
    /// How many equal ones this record stands for; of `PruneAudit`, how many records were let go.
    #[n(7)]
    pub count: u64,
    /// 0 bus, 1 socket, 2 the daemon itself, 3 the credentials socket.
    #[n(8)]
    pub door: u8,
    /// What the caller said it is.
    #[n(9)]
    pub app: String,
    /// What the caller said it wants the value for.
    #[n(10)]
    pub purpose: String,
    /// Process id.
    #[n(11)]
    pub pid: Option<u32>,
    /// The new name, where it was given one.
    #[n(12)]
    pub renamed_to: Option<String>,
    /// With whom it was shared, or is no longer.
    #[n(13)]
    pub grantee: Option<String>,
    /// The unit the service manager asked for.
    #[n(14)]
    pub unit: Option<String>,
}

impl AuditRecord {
    /// A record of one successful operation, to be completed with `..`.
    pub fn new(caller: &Caller, operation: &'static str, time: Timestamp) -> Self {
        Self {
            time,
            uid: caller.uid,
            operation: operation.to_owned(),
            owner: None,
            name: String::new(),
            version: 0,
            outcome: Outcome::Ok,
            count: 1,
            door: match caller.door {
                Door::Bus => 0,
                Door::Socket => 1,
                Door::Daemon => 2,
                Door::Credential => 3,
            },
            app: String::new(),
            purpose: String::new(),
            pid: caller.pid,
            renamed_to: None,
            grantee: None,
            unit: None,
        }
    }
    /// The door, as the interface writes it; empty for one of a newer release.
    pub const fn door(&self) -> &'static str {
        match self.door {
            0 => Door::Bus.as_str(),
            1 => Door::Socket.as_str(),
            2 => Door::Daemon.as_str(),
            3 => Door::Credential.as_str(),
            _ => "",
        }
    }
}
