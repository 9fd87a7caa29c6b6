//! A large value on its way in.
//!
//! It may take minutes, so nothing of the vault's keys is held meanwhile: each step asks again for the open vault, whether it is
//! the one the value began in, and whether its writer may still write.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use super::writer::Writer;
use super::{Body, Content};
use crate::Caller;
use crate::crypto::{chunk, pad, random};
use crate::error::Error;
use crate::name::TokenName;
use crate::port::WriteTx;
use crate::token::found::{Shelf, TokenInfo};
use crate::token::put::{Put, Wanted};
use crate::token::request::PutOptions;
use crate::token::share::Right;
use crate::vault::{Effect, Event, OpenVault, Reply, Vault, VaultId};

/// A chunk, encrypted.
pub struct SealedChunk {
    number: u32,
    body: Vec<u8>,
}

/// What has come of a value so far. Dropped before it was stored, it leaves nothing.
pub struct Upload {
    vault: Arc<Vault>,
    id: VaultId,
    /// Which opening of the vault it began in: it ends with that.
    opening: u64,
    /// Which store its content is in.
    store: u64,
    writer: Writer,
    content: Content,
    chunks: u32,
    is_whole: bool,
    is_stored: AtomicBool,
}

impl Vault {
    /// Begins to take a value in that is longer than one in a row may be. Refuses what would be refused at the end, as far as that
    /// can be told now.
    pub fn begin_upload(
        self: &Arc<Self>,
        caller: &Caller,
        name: &TokenName,
        options: &PutOptions,
        reply: Reply<Upload>,
    ) {
        let begun = || {
            self.check_put(options)?;
            Ok((self.open()?, random::secret(self.memory(), 32)?))
        };
        let (open, dek) = match begun() {
            Ok(begun) => begun,
            Err(error) => return reply(Err(error)),
        };
        let (id, opening, store) = (open.id, open.opening, self.exchanges.load(Ordering::Acquire));
        let event = Event::new(caller, "Put").about(options.owner.uid(caller), name.as_str());
        let vault = Arc::clone(self);
        let reply: Reply<(i64, Writer)> = Box::new(move |begun| {
            reply(begun.map(|(content, writer)| Upload {
                vault,
                id,
                opening,
                store,
                writer,
                content: Content { id: content, size: 0, dek, had_by: None },
                chunks: 0,
                is_whole: false,
                is_stored: AtomicBool::new(false),
            }));
        });
        let (vault, asked, name, options) = (Arc::clone(self), event.clone(), name.clone(), options.clone());
        self.write(event, Effect::Grows, reply, move |tx| {
            let wanted = Wanted { event: &asked, name: &name, options: &options };
            let right = vault.right_to_put(&open, tx, &wanted.asked())?;
            match &right {
                Right::Owner(principal) => {
                    let shelf = Shelf { open: &open, principal, now: vault.moment() };
                    Put { vault: &vault, shelf, name: &name, options: &options }.check(tx)?;
                }
                Right::Grantee(reach) => vault.check_put_as_grantee(&open, tx, reach, (&name, &options))?,
            }
            let writer = Writer::new(&wanted, &right);
            Ok((tx.begin_content(writer.principal)?, writer))
        });
    }

    /// Has a version hold what has come. Answers once it is durable, with the token as it is then.
    pub fn put_upload(self: &Arc<Self>, name: TokenName, options: PutOptions, upload: Upload, reply: Reply<TokenInfo>) {
        if !upload.is_whole {
            return reply(Err(Error::Internal("a value was to be stored before its end had come".into())));
        }
        let open = match upload.still_open() {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let caller = &upload.writer.caller;
        let event = Event::new(caller, "Put").about(options.owner.uid(caller), name.as_str());
        let (vault, audited, upload) = (Arc::clone(self), event.clone(), Arc::new(upload));
        let stored = Arc::clone(&upload);
        let reply: Reply<TokenInfo> = Box::new(move |result| {
            stored.is_stored.store(result.is_ok(), Ordering::Relaxed);
            reply(result);
        });
        self.write_announced(event, Effect::Grows, reply, move |tx| {
            let wanted = Wanted { event: &audited, name: &name, options: &options };
            let right = vault.right_to_put(&open, tx, &wanted.asked())?;
            vault.put_in(&open, tx, (&wanted, &right), &Body::Content(&upload.content))
        });
    }

    /// Lets go of a content that no version is going to have.
    pub(in crate::token) fn abandon_content(self: &Arc<Self>, principal: i64, content: i64, store: u64) {
        if self.exchanges.load(Ordering::Acquire) != store {
            return;
        }
        let (vault, exchanged) = (Arc::clone(self), Arc::clone(self));
        let forsaken = || self.forsaken.lock().unwrap_or_else(PoisonError::into_inner);
        forsaken().push((principal, content));
        let contents = forsaken().clone();
        let told = contents.clone();
        let reply: Reply<()> = Box::new(move |done| match done {
            Ok(()) => {
                let mut forsaken = vault.forsaken.lock().unwrap_or_else(PoisonError::into_inner);
                forsaken.retain(|content| !told.contains(content));
            }
            // It is tried again with the next one, and when the store is opened.
            Err(_kept_for_then) => {}
        });
        let event = Event::new(&crate::vault::daemon(), "Put");
        self.write(event, Effect::Reserved, reply, move |tx| {
            // In a store that was restored meanwhile, these are the numbers of others.
            if exchanged.exchanges.load(Ordering::Acquire) != store {
                return Ok(());
            }
            contents.iter().try_for_each(|(principal, content)| abandon(tx, *principal, *content))
        });
    }
}

fn abandon(tx: &mut dyn WriteTx, principal: i64, content: i64) -> Result<(), Error> {
    let held = tx.abandon_content(content)?.map_or(0, |(_, held)| held);
    if held > 0 && tx.principal_by_id(principal)?.is_some() {
        let held = i64::try_from(held).map_err(|_| Error::Internal("a size is over 63 bits".into()))?;
        tx.add_usage(principal, 0, -held)?;
    }
    Ok(())
}

impl Upload {
    /// Encrypts what comes next, [`chunk::CHUNK_BYTES`] of it; the last chunk may be shorter.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] when the value becomes longer than an attachment may be.
    pub fn seal(&mut self, part: &[u8], is_last: bool) -> Result<SealedChunk, Error> {
        if self.is_whole || part.is_empty() || (part.len() < chunk::CHUNK_BYTES && !is_last) {
            return Err(Error::Internal("a part of a value came in the wrong place".into()));
        }
        let size = self.content.size + part.len() as u64;
        self.vault.check_attachment_size(size)?;
        let Content { id: content, dek, .. } = &self.content;
        let place = chunk::Place { vault: &self.id, content: *content, number: self.chunks, is_last };
        let body = chunk::seal(dek, &place, part, self.vault.memory())?;
        let number = self.chunks;
        self.content.size = size;
        self.chunks += 1;
        self.is_whole = is_last;
        Ok(SealedChunk { number, body })
    }

    /// The vault, as it was when the value began to come.
    fn still_open(&self) -> Result<Arc<OpenVault>, Error> {
        let open = self.vault.open()?;
        if open.opening == self.opening {
            return Ok(open);
        }
        Err(Error::Unavailable("the vault was sealed while the value came; put it again".into()))
    }

    /// Writes chunks, and counts them within the quota. Answers once they are durable.
    pub fn store(&self, chunks: Vec<SealedChunk>, reply: Reply<()>) {
        let open = match self.still_open() {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let (vault, writer, content) = (Arc::clone(&self.vault), self.writer.clone(), self.content.id);
        let event = writer.event.clone();
        let bytes = chunks.len() * chunk::CHUNK_BYTES;
        self.vault.write(event, Effect::GrowsBy(bytes), reply, move |tx| {
            let bytes = bytes as u64;
            writer.count(&vault, &open, tx, bytes)?;
            for chunk in &chunks {
                tx.insert_chunk(content, chunk.number, &chunk.body)?;
            }
            Ok(tx.hold_for_content(content, bytes)?)
        });
    }

    /// Bytes that have come.
    pub const fn size(&self) -> u64 {
        self.content.size
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_stored.load(Ordering::Relaxed) {
            self.vault.abandon_content(self.writer.principal, self.content.id, self.store);
        }
    }
}

impl Vault {
    /// Refuses a value of `size` bytes that is longer than an attachment may be.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`].
    pub fn check_attachment_size(&self, size: u64) -> Result<(), Error> {
        // Without a limit of its own there is still the one of the format.
        let longest = pad::VALUE_BYTES_MAX as u64;
        let limit = match self.settings().attachment_bytes {
            0 => longest,
            limit => limit.min(longest),
        };
        if size > limit {
            return Err(Error::InvalidArgs(format!(
                "the value is longer than {limit} bytes (limit 'attachment-bytes')"
            )));
        }
        Ok(())
    }
}
