//! How requests reach the audit log.

use std::sync::Arc;

use super::write::{Effect, Reply};
use super::{Event, OpenVault, Vault};
use crate::audit::{AuditRecord, ChainFault, verify};
use crate::error::Error;
use crate::port::WriteTx;

impl Vault {
    /// The record of an event that went well.
    pub(super) fn record_of(&self, event: &Event) -> AuditRecord {
        AuditRecord {
            owner: event.owner,
            name: event.name.clone(),
            app: event.app.clone(),
            purpose: event.purpose.clone(),
            ..AuditRecord::new(&event.caller, event.operation, self.now())
        }
    }

    /// Records a mutation in the transaction that makes it.
    pub(crate) fn record_mutation(
        &self,
        open: &OpenVault,
        tx: &mut dyn WriteTx,
        event: &Event,
        version: u64,
    ) -> Result<(), Error> {
        let record = AuditRecord { version, ..self.record_of(event) };
        open.audit.append(tx, &record, self.settings().audit_records)
    }

    /// Notes a read before its answer leaves.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the log cannot take more: a read that cannot be recorded is refused.
    pub(crate) fn note_read(&self, event: &Event, version: u64) -> Result<(), Error> {
        if self.audit.note(AuditRecord { version, ..self.record_of(event) }) {
            self.wake_audit();
            return Ok(());
        }
        Err(Error::Unavailable(
            "the audit log cannot be written, so nothing is read; free space on the state directory's file system"
                .into(),
        ))
    }

    /// Sets who is told that records wait. Called on the read path: it must be quick. The first one stays.
    pub fn on_audit(&self, waker: impl Fn() + Send + Sync + 'static) {
        let _first_stays = self.audit_waker.set(Box::new(waker));
    }

    pub(super) fn wake_audit(&self) {
        if let Some(waker) = self.audit_waker.get() {
            waker();
        }
    }

    /// Whether reads must wait for [`Vault::flush_audit`] before their answer leaves.
    pub fn audit_is_durable(&self) -> bool {
        self.settings().audit_durable
    }

    /// Whether records wait that can be committed: while the vault is not open they have to go on waiting.
    pub fn audit_waits(&self) -> bool {
        !self.audit.is_idle() && self.check_open().is_ok()
    }

    /// Commits the records that wait. With `all`, also those that are still being folded. Answers once they are durable;
    /// an error when that cannot be, and they go on waiting: what was read must not leave then in durable mode.
    pub fn flush_audit(self: &Arc<Self>, all: bool, reply: Reply<()>) {
        let open = match self.open() {
            Ok(open) => open,
            Err(_) if self.audit.is_idle() => return reply(Ok(())),
            Err(error) => return reply(Err(error)),
        };
        let records = self.audit.take(self.now(), all);
        if records.is_empty() {
            return reply(Ok(()));
        }
        let cap = self.settings().audit_records;
        let records = Arc::new(records);
        let (vault, written) = (Arc::clone(self), Arc::clone(&records));
        let settle: Reply<()> = Box::new(move |result| {
            if result.is_err() {
                vault.audit.put_back(records.to_vec());
            }
            reply(result);
        });
        let event = Event::new(&super::slots::daemon(), "Audit");
        self.write(event, Effect::Reserved, settle, move |tx| {
            written.iter().try_for_each(|record| open.audit.append(tx, record, cap))
        });
    }

    /// Walks the audit chain: the number of records, or where it is broken.
    ///
    /// # Errors
    /// When the vault is not open or the store cannot be read.
    pub fn verify_audit(&self) -> Result<Result<u64, ChainFault>, Error> {
        let open = self.open()?;
        self.read(|tx| verify(&open.audit, tx))
    }
}
