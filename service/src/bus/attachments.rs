//! Values in chunks, in and out.

use std::sync::Arc;
use std::time::Duration;

use tokenvault_core::crypto::chunk::CHUNK_BYTES;
use tokenvault_core::name::TokenName;
use tokenvault_core::token::{Attachment, OpenedValue, PutOptions};
use tokenvault_core::vault::Vault;
use tokenvault_core::{Error, Secret};

use super::Desk;
use super::call::Call;
use super::decode;
use crate::caller::{Kind, Turn};
use crate::service::Service;
use crate::value::{Chunks, LongValue, Next, Portion, Reservation};

/// Chunks written in one step.
const BATCH: usize = 4;
/// What a value on its way in takes of memory: a chunk as it comes, and those of a step, encrypted.
const UNDER_WAY: usize = (BATCH + 2) * CHUNK_BYTES;

/// How long whoever has written too much waits before it is looked again.
const PAUSE: Duration = Duration::from_millis(50);

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
    let (service, vault, uid) = (&desk.service, &desk.service.vault, call.caller.uid);
    let Put { name, options, size, mut value, beginning } = put;
    for known in [size, value.size()].into_iter().flatten() {
        decode::check_size(size, known)?;
        vault.check_attachment_size(known)?;
    }
    let _turn = turn(service, uid, value.longest()).await?;
    value.begin();
    let _portion = service.pipes.portion_for(uid, UNDER_WAY)?;
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
            // What is longer than was said is not taken in to its end.
            if size.is_some_and(|said| upload.size() > said) {
                decode::check_size(size, upload.size())?;
            }
            is_whole = part.is_last;
        }
        if is_whole {
            decode::check_size(size, upload.size())?;
        }
        pay(desk, uid).await?;
        desk.committed(|reply| upload.store(chunks, reply)).await?;
    }
    drop((value, beginning));
    Ok(desk.committed(|reply| vault.put_upload(name, options, upload, reply)).await?.version)
}

/// Waits until few enough long values of a user come in, no longer than one of them may take.
async fn turn(service: &Service, uid: u32, longest: Duration) -> Result<Turn, Error> {
    let turn = tokio::time::timeout(longest, service.uploads.take(uid)).await;
    turn.unwrap_or_else(|_| {
        let text = format!("others of your long values were still coming in after {longest:?}; put fewer at a time");
        Err(Error::Timeout(text))
    })
}

/// Pays for a step as for a write of its own. Whoever has written too much waits: a value that is refused in the middle would be
/// written once more.
async fn pay(desk: &Desk, uid: u32) -> Result<(), Error> {
    let paid = async {
        while desk.service.limiter.pay(uid, Kind::Write).is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    };
    desk.within_time("the value could not be written (limit 'writes-per-second')", "write less at a time", paid).await
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
            // It was deleted, closed, or taken from who reads it.
            Err(Error::NotFound | Error::Sealed(_) | Error::Locked | Error::AccessDenied(_)) => None,
            Err(error) => {
                log::error!("a value could not be handed out to its end: {error}");
                None
            }
        }
    }
}
