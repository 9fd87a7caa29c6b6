//! The bytes between the daemon and the bus.
//!
//! zbus makes room for what a header claims, and the bus passes on what no client should be able to have the daemon hold. So
//! its messages are measured here before zbus sees them. A call that is too large, or that zbus could not take, is skipped
//! and answered; whatever else is of that kind is skipped. And the calls that have no reply yet are counted, so that a stop
//! can wait for them.
//! This room knows nothing of tokens and of callers.

mod intake;
mod reader;
mod skip;
mod writer;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::socket::{Shutdown, shutdown};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;
use tokio::sync::{Mutex, watch};
use zbus::Address;
use zbus::address::Transport;
use zbus::address::transport::UnixSocket;
use zbus::connection::Builder;
use zbus::connection::socket::{BoxedSplit, Split};

use self::reader::Reader;
use self::writer::Writer;
use crate::sys::ready;

/// A connection to the bus, as far as its bytes go.
pub struct BusWire {
    socket: AsyncFd<OwnedFd>,
    /// Held while a message is written: replies are written by zbus, refusals by the reader.
    writing: Mutex<()>,
    /// Calls without a reply.
    calls: watch::Sender<usize>,
    closing: AtomicBool,
}

/// Connects to the bus; zbus says hello.
///
/// # Errors
/// Nobody answers there, or it is no place of a Unix socket: values travel as descriptors.
pub async fn connect(address: &Address) -> zbus::Result<(Arc<BusWire>, Builder<'static>)> {
    let stream = UnixStream::connect(path(address)?).await?.into_std()?;
    open(stream.into()).map_err(Into::into)
}

fn open(socket: OwnedFd) -> io::Result<(Arc<BusWire>, Builder<'static>)> {
    let wire = Arc::new(BusWire {
        socket: ready::watch(socket, Interest::READABLE | Interest::WRITABLE)?,
        writing: Mutex::new(()),
        calls: watch::Sender::new(0),
        closing: AtomicBool::new(false),
    });
    let (reader, writer) = (Reader::new(Arc::clone(&wire)), Writer::new(Arc::clone(&wire)));
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
        self.closing.store(true, Ordering::SeqCst);
        let mut calls = self.calls.subscribe();
        // It cannot fail: the sender is here.
        let _ = calls.wait_for(|calls| *calls == 0).await;
    }

    /// Ends the connection; nothing is answered any more.
    pub fn hang_up(&self) {
        // It may have ended already.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
    }

    /// Whether a call that comes in now is still taken; if so, it is counted.
    fn takes_call(&self, wants_reply: bool) -> bool {
        if self.closing.load(Ordering::SeqCst) {
            return false;
        }
        if wants_reply {
            self.calls.send_modify(|calls| *calls += 1);
        }
        true
    }

    fn replied(&self) {
        self.calls.send_modify(|calls| *calls = calls.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests;
