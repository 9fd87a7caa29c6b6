//! The bytes between the daemon and the bus.
//!
//! zbus makes room for what a header claims, and the bus passes on what no client should be able to have the daemon hold. So
//! its messages are measured here before zbus sees them. A call that is too large, or that zbus could not take, is skipped
//! and answered; whatever else is of that kind is skipped. And the calls that have no reply yet are counted, so that a stop
//! can wait for them.
//! This room knows nothing of tokens and of callers.

mod calls;
mod intake;
mod rate;
mod reader;
mod skip;
mod writer;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use nix::sys::socket::{Shutdown, shutdown};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use zbus::Address;
use zbus::address::Transport;
use zbus::address::transport::UnixSocket;
use zbus::connection::Builder;
use zbus::connection::socket::{BoxedSplit, Split};

use self::calls::Calls;
use self::reader::Reader;
use self::writer::Writer;
use crate::fast_path::FastPath;
use crate::message::Called;
use crate::sys::ready;

/// A connection to the bus, as far as its bytes go.
pub struct BusWire {
    socket: AsyncFd<OwnedFd>,
    /// Held while a message is written: replies are written by zbus, refusals and those of the fast path by the reader.
    writing: Mutex<()>,
    /// Calls without a reply.
    calls: Calls,
}

/// What the reader has to know of what is served.
pub struct Above {
    /// What answers calls before zbus sees them.
    pub fast_path: Option<Arc<dyn FastPath>>,
    /// Whether a call is counted here, since nobody else does.
    pub is_counted: fn(&Called<'_>) -> bool,
}

/// Connects to the bus; zbus says hello.
///
/// # Errors
/// Nobody answers there, or it is no place of a Unix socket: values travel as descriptors.
pub async fn connect(address: &Address, above: Above) -> zbus::Result<(Arc<BusWire>, Builder<'static>)> {
    let stream = UnixStream::connect(path(address)?).await?.into_std()?;
    open(stream.into(), above).map_err(Into::into)
}

fn open(socket: OwnedFd, above: Above) -> io::Result<(Arc<BusWire>, Builder<'static>)> {
    let wire = Arc::new(BusWire {
        socket: ready::watch(socket, Interest::READABLE | Interest::WRITABLE)?,
        writing: Mutex::new(()),
        calls: Calls::default(),
    });
    let (reader, writer) = (Reader::new(Arc::clone(&wire), above), Writer::new(Arc::clone(&wire)));
    let split: BoxedSplit = Split::new(Box::new(reader), Box::new(writer));
    Ok((wire, Builder::socket(split)))
}

fn path(address: &Address) -> zbus::Result<PathBuf> {
    if let Transport::Unix(unix) = address.transport() {
        match unix.path() {
            UnixSocket::File(path) => return Ok(path.clone()),
            UnixSocket::Abstract(name) => {
                // As the kernel writes it: a zero byte before the name.
                let mut path = std::ffi::OsString::from("\0");
                path.push(name);
                return Ok(path.into());
            }
            _ => {}
        }
    }
    Err(zbus::Error::Address(format!("{address}: values travel as descriptors; give unix:path= or unix:abstract=")))
}

impl BusWire {
    /// Takes no more calls, and waits until those that were taken have their replies.
    pub async fn settle(&self) {
        self.calls.settle().await;
    }

    /// Ends the connection; nothing is answered any more.
    pub fn hang_up(&self) {
        // It may have ended already.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
    }
}

#[cfg(test)]
mod tests;
