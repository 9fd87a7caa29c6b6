//! The one method of a bus that tools call before anything else.
//!
//! There is no bus behind the private door. But `busctl --address=` and `dbus-send --bus=` say `Hello` to whatever they are
//! pointed at, and a name costs nothing.

use zbus::interface;

/// Where tools expect the bus.
pub(super) const PATH: &str = "/org/freedesktop/DBus";

/// Gives the client a name, because it asks for one.
pub(super) struct Hello;

#[interface(name = "org.freedesktop.DBus", spawn = false)]
impl Hello {
    /// A unique name. There is one client on the connection, so it is always the same.
    async fn hello(&self) -> &'static str {
        ":1.1"
    }
}
