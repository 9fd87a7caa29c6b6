//! The vault daemon.
//!
//! The rooms, in the direction a call flows: `door` and `bus_wire` read it, `fast_path` answers what waits for nothing, `bus`
//! takes in the rest through zbus, `caller` says who asks, the domain decides, the store keeps, and `value` hands the value
//! over. `message` is what both doors know of messages as bytes. Only `startup` knows the concrete types.

mod anchor;
pub mod bus;
pub mod bus_link;
pub mod bus_wire;
pub mod caller;
pub mod clock;
pub mod config;
pub mod credential;
pub mod deleted;
pub mod directories;
pub mod door;
pub mod expiry;
pub mod fast_path;
pub mod groups;
pub mod host_key;
pub mod jobs;
pub mod journal;
pub mod lifecycle;
pub mod login;
pub mod message;
pub mod metrics;
pub mod operation;
pub mod reload;
mod renamed;
pub mod retention;
pub mod sandbox;
pub mod service;
pub mod signals;
pub mod startup;
pub mod subscription;
pub mod sys;
pub mod tpm;
pub mod unusable;
pub mod value;
mod verification;
