//! The least that a D-Bus service can be which hands over a value through a pipe: what the vault is held against.
//!
//! It has the runtime and the bus library of the daemon, one thread, and handles calls where they come in: less cannot be
//! done for a caller with these parts.

use std::collections::HashMap;
use std::io::Write;
use std::os::fd::OwnedFd;

use zbus::connection::Builder;
use zbus::{Connection, Variant};

/// Its name on a bus.
pub const NAME: &str = "org.tokenvault.Bench";
/// Its interface.
pub const INTERFACE: &str = "org.tokenvault.Bench";
/// Where it is.
pub const PATH: &str = "/org/tokenvault/Bench";
/// Bytes of the value.
pub const VALUE_BYTES: usize = 256;

/// The service.
#[derive(Debug)]
pub struct Floor;

#[zbus::interface(name = "org.tokenvault.Bench", spawn = false)]
impl Floor {
    /// A pipe that holds the value.
    async fn pipe(&self) -> zbus::fdo::Result<zbus::OwnedFd> {
        let (reader, mut writer) = std::io::pipe().map_err(zbus::Error::from)?;
        writer.write_all(&[b'v'; VALUE_BYTES]).map_err(zbus::Error::from)?;
        Ok(OwnedFd::from(reader).into())
    }

    /// An empty page, in the bytes of a `List` of the vault.
    async fn list(&self, _options: HashMap<&str, Variant<'_>>) -> (Vec<HashMap<String, Variant<'static>>>, String) {
        Default::default()
    }
}

/// Serves on a bus, under [`NAME`], as long as the connection lives.
///
/// # Errors
/// The bus does not let it in.
pub async fn serve_on_bus(address: &str) -> zbus::Result<Connection> {
    Builder::address(address).serve_at(PATH, Floor).name(NAME).build().await
}
