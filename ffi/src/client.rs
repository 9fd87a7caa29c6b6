//! `tokenvault_client`: opened, closed, asked what went wrong.

use std::ffi::{c_char, c_int};

use tokenvault_client::{Address, Client as Connection};

use crate::boundary;
use crate::failure::{self, Failure, Identity};
use crate::handle::{self, Object};
use crate::input::{self, Output};

/// Longer than any address, with all the ways to a bus that it may name.
const ADDRESS_BYTES_MAX: usize = 1024;

/// A client of the vault. It may be shared between threads; calls are made one after the other.
pub struct Client {
    connection: Connection,
    identity: Identity,
}

impl Object for Client {
    const MARK: [u8; 8] = *b"tvclient";
}

/// Connects to the vault.
///
/// address is "unix:path=PATH" (a private socket) or "bus:ADDRESS" (a D-Bus bus). NULL: what the environment variable
/// TOKENVAULT_ADDRESS says (not in a setuid program), else the private socket /run/tokenvault/bus, else the system bus.
/// An address has 1024 bytes at most.
///
/// When it fails, tokenvault_client_error(NULL) has the text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_client_open(address: *const c_char, client: *mut *mut Client) -> c_int {
    boundary::call(None, || {
        // SAFETY: NULL or a place for a pointer.
        let client = unsafe { Output::new("client", client) }?;
        // SAFETY: NULL or a string.
        let address = unsafe { input::optional_text("address", address) }?;
        if address.is_some_and(|address| address.len() > ADDRESS_BYTES_MAX) {
            return Err(Failure::invalid(format!("address has more than {ADDRESS_BYTES_MAX} bytes")));
        }
        let address = address.map(str::parse::<Address>).transpose()?;
        let connection = Connection::open(address.as_ref())?;
        client.give(Client { connection, identity: Identity::default() });
        Ok(())
    })
}

/// Closes the connection and frees the client. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_client_close(client: *mut Client) {
    // SAFETY: NULL or an open client.
    boundary::answer((), || unsafe { handle::take_back(client) });
}

/// What went wrong in this thread's last failed call on this client: one line, with the next step; empty when nothing
/// did. NULL: in this thread's last failed tokenvault_client_open.
///
/// Valid until this thread's next failed call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_client_error(client: *const Client) -> *const c_char {
    boundary::answer(c"".as_ptr(), || {
        // SAFETY: NULL or an open client.
        let client = unsafe { handle::look(client) };
        failure::last(client.map(|client| &client.identity))
    })
}

/// Runs a call on a client.
///
/// # Safety
/// `client` is NULL or an open client.
pub(crate) unsafe fn call(client: *mut Client, work: impl FnOnce(&Connection) -> Result<(), Failure>) -> c_int {
    // SAFETY: the caller's promise. Shared only: threads may be in here at once.
    match unsafe { handle::look(client) } {
        Some(client) => boundary::call(Some(&client.identity), || work(&client.connection)),
        None => boundary::call(None, || Err(Failure::invalid("client is NULL or no open client"))),
    }
}
