//! A D-Bus connection on which a test can pass any argument, also those no client of ours would pass.

use std::os::unix::net::UnixStream;

use serde::Serialize;
use tokenvault_proto::{BUS_NAME, OBJECT_PATH};
use tokio::runtime::Runtime;
use zbus::{Connection, DynamicType, Message};

use crate::bus::TestBus;
use crate::door::Door;
use crate::floor;
use crate::user::User;
use crate::vault::Vault;
use crate::wait::PATIENCE;

/// An error reply as it was on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Full error name.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A D-Bus connection of one user.
#[derive(Debug)]
pub struct Wire {
    runtime: Runtime,
    connection: Connection,
    destination: Option<&'static str>,
    path: &'static str,
}

impl Wire {
    /// Connects as `user`.
    pub(crate) fn open(vault: &Vault, user: User, door: Door) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let stream = connect(vault, user, door).expect("connecting to the door");
        let connection = runtime.block_on(async {
            let builder = zbus::connection::Builder::unix_stream(stream).user_id(user.uid).method_timeout(PATIENCE);
            let builder = if door == Door::Socket { builder.p2p() } else { builder };
            builder.build().await.expect("a D-Bus connection")
        });
        Self { runtime, connection, destination: (door == Door::Bus).then_some(BUS_NAME), path: OBJECT_PATH }
    }

    /// The same connection to the bus, for calls of the floor service and not of the vault.
    pub fn to_floor(self) -> Self {
        Self { destination: Some(floor::NAME), path: floor::PATH, ..self }
    }

    /// Calls a method of the object.
    pub fn call<B>(&self, interface: &str, method: &str, body: &B) -> Result<Message, Refusal>
    where
        B: Serialize + DynamicType,
    {
        let call = self.connection.call_method(self.destination, self.path, Some(interface), method, body);
        self.runtime.block_on(call).map_err(refusal)
    }

    /// Sends a call whose answer nobody waits for.
    pub fn send<B>(&self, interface: &str, method: &str, body: &B)
    where
        B: Serialize + DynamicType,
    {
        let mut call = Message::method_call(self.path, method).interface(interface);
        if let Some(destination) = self.destination {
            call = call.destination(destination);
        }
        let call = call.build(body).expect("a message");
        self.runtime.block_on(self.connection.send(&call)).expect("sending a call");
    }

    /// Calls a method of the bus itself.
    pub fn call_bus<B>(&self, method: &str, body: &B) -> Result<Message, Refusal>
    where
        B: Serialize + DynamicType,
    {
        let bus = "org.freedesktop.DBus";
        let call = self.connection.call_method(Some(bus), "/org/freedesktop/DBus", Some(bus), method, body);
        self.runtime.block_on(call).map_err(refusal)
    }

    /// The introspection document of the vault's object.
    pub fn introspect(&self) -> String {
        let reply = self.call("org.freedesktop.DBus.Introspectable", "Introspect", &()).expect("introspection");
        reply.body().deserialize().expect("a string")
    }
}

/// A connected stream whose peer credentials are `user`'s.
pub(crate) fn connect(vault: &Vault, user: User, door: Door) -> std::io::Result<UnixStream> {
    let path = match door {
        Door::Socket => vault.socket(),
        Door::Bus => TestBus::socket_in(vault.path()),
    };
    user.run(|| UnixStream::connect(path))
}

fn refusal(error: zbus::Error) -> Refusal {
    match error {
        zbus::Error::MethodError(name, text, _) => Refusal { name: name.to_string(), text: text.unwrap_or_default() },
        zbus::Error::FDO(error) => {
            use zbus::DBusError;
            Refusal { name: error.name().to_string(), text: error.description().unwrap_or_default().to_owned() }
        }
        error => panic!("the call failed without an error reply: {error}"),
    }
}
