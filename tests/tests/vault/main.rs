//! What a vault does for its callers, over the running programs and through both doors.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed, and figures are for those who read them"
)]

mod common;

mod anchor;
mod attachments;
mod attributes;
mod audit;
mod audit_log;
mod backup;
mod bad_input;
mod bad_value;
mod bus;
mod cleanup;
mod clock;
mod codes;
mod commands;
mod completion;
mod configuration;
mod consent;
mod container;
mod credential_outcomes;
mod credentials;
mod deleted;
mod doctor;
mod errors;
mod expiry;
mod fetched_again;
mod fetches;
mod follow;
mod generate;
mod isolation;
mod issuer;
mod issuing_commands;
mod json;
mod limits;
mod listing;
mod lockdown;
mod login;
mod logout;
mod machine_tokens;
mod manager;
mod metrics;
mod naming;
mod notices;
mod offers;
mod put_and_get;
mod restart;
mod reused_uid;
mod roles;
mod rotate;
mod run;
mod secrecy;
mod selftest;
mod sessions;
mod shares;
mod sharing;
mod sharing_edges;
mod sharing_signals;
mod signals;
mod slots;
mod stolen;
mod store_faults;
mod tpm;
mod unlock;
mod users;
mod verify;
mod versions;
