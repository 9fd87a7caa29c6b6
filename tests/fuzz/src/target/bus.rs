//! What a bus says to the daemon, and passes on from anybody there: lines, then messages, with descriptors or without.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;
use tokenvault_proto::{Dictionary, GetOptions};
use tokenvaultd::bus::is_counted_on_the_bus;
use tokenvaultd::bus_wire::{self, Above};
use tokenvaultd::fast_path::{Call, FastPath, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{UnixListener, UnixStream};
use zbus::OwnedVariant;

use crate::dbus::{self, Answer, BEGIN, GREETING};
use crate::served;

/// Looks at every call as the vault does, and answers none.
struct Looks;

impl FastPath for Looks {
    fn answer(&self, call: &Call<'_>) -> Option<Reply> {
        let _sender = call.sender();
        let (_name, options): (&str, HashMap<String, OwnedVariant>) = call.arguments()?;
        let _refused = GetOptions::from_dict(options);
        None
    }
}

/// How the bus behaves, by a byte.
struct Form {
    /// Whether it greets, and gives a name.
    greets: bool,
    /// How many descriptors come with what it says then.
    fds: usize,
}

/// The first byte says how the bus behaves.
pub fn run(data: &[u8]) {
    let [form, said @ ..] = data else { return };
    let form = Form { greets: form % 8 > 0, fds: if form % 8 > 4 { usize::from(form / 8) } else { 0 } };
    served::run(meet(&form, said));
}

/// Has the daemon come to a bus, and waits until it has gone again.
async fn meet(form: &Form, said: &[u8]) {
    static PLACE: OnceLock<(TempDir, UnixListener)> = OnceLock::new();
    let (dir, listener) = PLACE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(dir.path().join("bus")).expect("a socket");
        (dir, listener)
    });
    let address = format!("unix:path={}", dir.path().join("bus").display()).parse().expect("an address");
    let daemon = async {
        let above = Above { fast_path: Some(Arc::new(Looks)), is_counted: is_counted_on_the_bus };
        let (wire, builder) = bus_wire::connect(&address, above).await.expect("the bus is there");
        match builder.build().await {
            Ok(connection) => connection.closed().await,
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        wire.hang_up();
    };
    let bus = async {
        let (stream, _) = listener.accept().await.expect("the daemon comes");
        // It may have hung up at any point.
        let _gone = speak(stream, form, said).await;
    };
    tokio::join!(daemon, bus);
}

/// Says everything, and hears everything until the daemon hangs up.
async fn speak(stream: UnixStream, form: &Form, mut said: &[u8]) -> io::Result<()> {
    let (mut from, mut to) = stream.into_split();
    if form.greets {
        to.write_all(GREETING).await?;
        let mut heard = Vec::new();
        let hello = loop {
            let end = heard.windows(BEGIN.len()).position(|window| window == BEGIN).map(|at| at + BEGIN.len());
            if let Some(call) = end.and_then(|end| heard.get(end..)).filter(|call| call.len() >= 16) {
                break [call[8], call[9], call[10], call[11]];
            }
            if from.read_buf(&mut heard).await? == 0 {
                return Ok(());
            }
        };
        let name = b"\x04\0\0\0:1.7\0";
        to.write_all(&dbus::reply(hello, Answer::Return(b"s", 0), name)).await?;
    }
    let says = async {
        let fds = dbus::pipes(form.fds, said);
        if !fds.is_empty() && !said.is_empty() {
            let sent = to.as_ref().async_io(Interest::WRITABLE, || dbus::send(to.as_ref(), said, &fds)).await?;
            said = &said[sent..];
        }
        to.write_all(said).await?;
        to.shutdown().await
    };
    let mut heard = Vec::new();
    let (said, heard): (io::Result<()>, _) = tokio::join!(says, from.read_to_end(&mut heard));
    heard?;
    said
}
