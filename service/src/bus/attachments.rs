//! Values in chunks, in and out.

use std::sync::Arc;

use tokenvault_core::crypto::chunk::CHUNK_BYTES;
use tokenvault_core::name::TokenName;
use tokenvault_core::token::{Attachment, OpenedValue, PutOptions};
use tokenvault_core::vault::Vault;
use tokenvault_core::{Error, Secret};

use super::Desk;
use super::call::Call;
use super::decode;
use crate::service::Service;
use crate::value::{Chunks, LongValue, Next, Portion, Reservation};

/// Chunks written in one step.
const BATCH: usize = 4;
/// What a value on its way in takes of memory: a chunk as it comes, and those of a step, encrypted.
const UNDER_WAY: usize = (BATCH + 2) * CHUNK_BYTES;

/// `Put` of a long value.
pub struct Put {
    /// Which token.
    pub name: TokenName,
    /// What comes with it.
    pub options: PutOptions,
    /// Its length, if that was said.
    pub size: Option<u64>,
    /// The value.
    pub value: LongValue,
    /// What its beginning takes of memory.
    pub beginning: Portion,
}

/// Takes a long value in, step by step, and stores it.
pub async fn put(desk: &Desk, call: Call, put: Put) -> Result<u64, Error> {
    let (service, vault) = (&desk.service, &desk.service.vault);
    let Put { name, options, size, mut value, beginning } = put;
    let _portion = service.pipes.portion_for(call.caller.uid, UNDER_WAY)?;
    let mut room = Secret::zeroed(vault.memory(), CHUNK_BYTES)?;
    let begun = desk.committed(|reply| vault.begin_upload(&call.caller, &name, &options, reply));
    // Dropped before it is stored, also when this is, it leaves nothing.
    let mut upload = begun.await?;
    let mut is_whole = false;
    while !is_whole {
        let mut chunks = Vec::with_capacity(BATCH);
        while chunks.len() < BATCH && !is_whole {
            let part = value.fill(room.expose_mut()).await?;
            let bytes = room.expose().get(..part.len).unwrap_or_default();
            chunks.push(upload.seal(bytes, part.is_last)?);
            is_whole = part.is_last;
        }
        desk.committed(|reply| upload.store(chunks, reply)).await?;
    }
    drop((value, beginning));
    decode::check_size(size, upload.size())?;
    Ok(desk.committed(|reply| vault.put_upload(&call.caller, name, options, upload, reply)).await?.version)
}

/// Hands a value out through a pipe.
pub fn send(service: &Service, room: Reservation, value: OpenedValue) -> Result<std::os::fd::OwnedFd, Error> {
    let sent = match value {
        OpenedValue::Whole(value) => room.send(&value),
        OpenedValue::Chunked(first, rest) => {
            room.send_chunks(first, FromVault { vault: Arc::clone(&service.vault), rest })
        }
    };
    Ok(sent?)
}

/// The chunks of a value that the vault has.
struct FromVault {
    vault: Arc<Vault>,
    rest: Attachment,
}

impl Chunks for FromVault {
    fn next(&mut self) -> Option<Next> {
        match self.vault.read_chunk(&mut self.rest) {
            Ok(part) => Some(part.map_or(Next::End, Next::Part)),
            // It was deleted, or the vault sealed, while it was read.
            Err(Error::NotFound | Error::Sealed(_)) => None,
            Err(error) => {
                log::error!("a value could not be handed out to its end: {error}");
                None
            }
        }
    }
}
