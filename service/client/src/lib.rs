//! The Rust client of the vault: blocking calls with deadlines, values by pipe.
//!
//! What the commands, the C library and other programs stand on. It knows the wire and nothing of policy: what a caller
//! may do is the daemon's to say. It starts no thread, installs no signal handler, writes to no stream and keeps no
//! value in a buffer of its own; values are wiped when they are dropped.
//!
//! A call blocks the calling thread and must not be made from inside an asynchronous task; there, hand it to the
//! runtime's pool for blocking work.
#![deny(unsafe_code)]

mod address;
mod admin;
mod call;
mod client;
mod connection;
mod deadline;
mod door;
mod endpoint;
mod error;
#[cfg(test)]
mod fixture;
mod greeting;
mod head;
mod inbox;
mod issuer;
mod login;
mod manager;
mod method;
mod peer;
mod pipe;
mod stream;
mod subscription;
mod sys;
mod text;
mod tokens;
mod turn;
mod user;
mod value;
mod value_stream;

pub use client::Client;
pub use error::Error;
pub use issuer::Issued;
pub use subscription::{Notice, Subscription};
pub use tokenvault_proto as proto;
pub use tokenvault_proto::{
    AddSlotOptions, Address, AddressError, AnnotateOptions, AuditInfo, AuditOptions, CredentialTest, DeleteOptions,
    DescribeOptions, ErrorCode, ExpiringInfo, ExpiringOptions, FetchInfo, FetchesOptions, GenerateOptions, GetOptions,
    Health, IssueOptions, IssuedInfo, IssuedOptions, ListOptions, LoginState, OfferInfo, OfferOptions, OperationInfo,
    PutOptions, RedeemOptions, RemoveSlotOptions, RevokeAllOptions, ShareInfo, ShareOptions, SlotInfo, Status,
    TokenInfo, UnsealOptions, ValidateOptions, VerifyAuditOptions, VersionInfo, WhoAmI,
};
pub use value::Value;
pub use value_stream::ValueStream;
