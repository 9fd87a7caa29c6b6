//! The targets by their names.

mod backup;
mod bus;
mod calls;
mod config;
mod door;
mod items;
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
pub const TARGETS: [Target; 11] = [
    Target { name: "backup", run: backup::run },
    Target { name: "bus", run: bus::run },
    Target { name: "calls", run: calls::run },
    Target { name: "config", run: config::run },
    Target { name: "door", run: door::run },
    Target { name: "items", run: items::run },
    Target { name: "options", run: options::run },
    Target { name: "replies", run: replies::run },
    Target { name: "rows", run: rows::run },
    Target { name: "tokens", run: tokens::run },
    Target { name: "worker", run: worker::run },
];
