//! The domain of the vault: who may do what with which token, and how it is kept secret.
//!
//! Everything here is synchronous and pure: no runtime, no D-Bus, no SQL, no TPM, no system call. What it needs of the
//! world comes in through the traits of [`port`]; who is asking comes in as a [`Caller`] value, made once at the edge.
#![forbid(unsafe_code)]

pub mod announcement;
pub mod audit;
pub mod backup;
pub mod caller;
pub mod crypto;
mod cursor;
pub mod error;
pub mod grantee;
pub mod hex;
pub mod issued;
pub mod keyring;
pub mod login;
mod machine_key;
pub mod moment;
pub mod name;
pub mod owner;
pub mod policy;
pub mod port;
pub mod principal;
pub mod role_rules;
pub mod secret;
pub mod slot;
pub mod time;
pub mod token;
pub mod unit;
pub mod user;
pub mod vault;

pub use caller::Caller;
pub use error::Error;
pub use secret::Secret;
pub use time::Timestamp;
