//! The targets by their names.

mod backup;
mod config;
mod options;
mod replies;
mod rows;
mod tokens;
mod worker;

/// Something that reads bytes of others.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Reads them.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 7] = [
    Target { name: "backup", run: backup::run },
    Target { name: "config", run: config::run },
    Target { name: "options", run: options::run },
    Target { name: "replies", run: replies::run },
    Target { name: "rows", run: rows::run },
    Target { name: "tokens", run: tokens::run },
    Target { name: "worker", run: worker::run },
];
