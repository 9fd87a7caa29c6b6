//! How requests reach the audit log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::write::{Effect, Reply};
use super::{Event, OpenVault, Vault};
use crate::Timestamp;
use crate::audit::{AuditRecord, Mark, NotNoted, Outcome};
use crate::error::Error;
use crate::port::WriteTx;

pub use crate::audit::Receipt;

impl Vault {
    /// The record of an event that went well.
    pub(super) fn record_of(&self, event: &Event) -> AuditRecord {
        AuditRecord {
            owner: event.owner,
            name: event.name.clone(),
            app: event.app.clone(),
            purpose: event.purpose.clone(),
            renamed_to: event.renamed_to.clone(),
            grantee: event.grantee.clone(),
            unit: event.unit.clone(),
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

    /// Records that something did not go well which has changed something all the same: a wrong code that was counted.
    pub(crate) fn record_outcome(
        &self,
        open: &OpenVault,
        tx: &mut dyn WriteTx,
        event: &Event,
        outcome: Outcome,
    ) -> Result<(), Error> {
        let record = AuditRecord { outcome, ..self.record_of(event) };
        open.audit.append(tx, &record, self.settings().audit_records)
    }

    /// Records so many equal mutations of one transaction; none is not worth a record.
    pub(crate) fn record_many(
        &self,
        open: &OpenVault,
        tx: &mut dyn WriteTx,
        event: &Event,
        count: u64,
    ) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        let record = AuditRecord { count, ..self.record_of(event) };
        open.audit.append(tx, &record, self.settings().audit_records)
    }

    /// Sees to it that a read is recorded before its answer leaves: notes it for the next commit, or, where the log is to be
    /// durable and no equal read of the same second is yet, gives the receipt that has to be settled with [`Vault::settle`]
    /// first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the log cannot take more, [`Error::Sealed`] when it takes no reads: one that cannot be
    /// recorded is refused.
    pub(crate) fn note_read(&self, event: Event, version: u64) -> Result<Option<Receipt>, Error> {
        let record = AuditRecord { version, ..self.record_of(&event) };
        let noted = if self.audit_full.load(Ordering::Relaxed) {
            Err(NotNoted::Full)
        } else if self.settings().audit_durable {
            self.audit.note_durably(record)
        } else {
            self.audit.note(record).map(|()| None)
        };
        let receipt = noted.map_err(not_noted)?;
        self.wake_audit();
        Ok(receipt)
    }

    /// Whether reads wait for the disk, or are refused, because of the audit log.
    pub(crate) fn makes_reads_wait(&self) -> bool {
        self.settings().audit_durable || self.audit_full.load(Ordering::Relaxed)
    }

    /// Notes a read for the next commit, also where the log has become a durable one since it began.
    pub(crate) fn note_read_for_later(&self, event: &Event, version: u64) -> Result<(), NotNoted> {
        self.audit.note(AuditRecord { version, ..self.record_of(event) })?;
        self.wake_audit();
        Ok(())
    }

    /// Notes that a login was opened or closed, for the next commit.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the log cannot take more, [`Error::Sealed`] when the vault was sealed meanwhile.
    pub(crate) fn note_login(&self, event: &Event) -> Result<(), Error> {
        self.audit.note(self.record_of(event)).map_err(not_noted)?;
        self.wake_audit();
        Ok(())
    }

    /// Sees to it that a record of a read is durable; its answer may leave when this has answered Ok.
    pub fn settle(self: &Arc<Self>, mut receipt: Receipt, reply: Reply<()>) {
        let Some(record) = receipt.take_record() else {
            return receipt.wait(|durable| reply(if durable { Ok(()) } else { Err(unwritten()) }));
        };
        let settle: Reply<()> = Box::new(move |written| {
            receipt.settle(written.is_ok());
            reply(written);
        });
        let open = match self.open() {
            Ok(open) => open,
            Err(error) => return settle(Err(error)),
        };
        let cap = self.settings().audit_records;
        let event = Event::new(&super::slots::daemon(), "Audit");
        self.write(event, Effect::Reserved, settle, move |tx| open.audit.append(tx, &record, cap));
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

    /// Whether records wait that can be committed: while the vault is not open they have to go on waiting.
    pub fn audit_waits(&self) -> bool {
        !self.audit.is_idle() && self.check_open().is_ok()
    }

    /// How many records wait that nobody has begun to commit.
    pub fn audit_waiting(&self) -> usize {
        self.audit.waiting()
    }

    /// Commits the records that wait. With `all`, also those that are still being folded. Answers once they are durable;
    /// an error when that cannot be, and they go on waiting.
    pub fn flush_audit(self: &Arc<Self>, all: bool, reply: Reply<()>) {
        self.commit_audit(reply, |now| self.audit.take(now, all), |reply| reply(Ok(())));
    }

    /// Commits for somebody who looks what there is by now, with `so_far` also of what is still being folded, which goes on. Answers
    /// as [`Vault::flush_audit`], and not before what somebody else has begun to commit is durable too.
    pub fn flush_audit_to_show(self: &Arc<Self>, so_far: bool, reply: Reply<()>) {
        let take = |now| if so_far { self.audit.take_so_far(now) } else { self.audit.take(now, false) };
        self.commit_audit(reply, take, |reply| self.round_trip(reply));
    }

    fn commit_audit(
        self: &Arc<Self>,
        reply: Reply<()>,
        take: impl FnOnce(Timestamp) -> Vec<AuditRecord>,
        where_none_waits: impl FnOnce(Reply<()>),
    ) {
        let open = match self.open() {
            Ok(open) => open,
            Err(_) if self.audit.is_idle() => return reply(Ok(())),
            Err(error) => return reply(Err(error)),
        };
        self.flush_seen(&open);
        let records = take(self.now());
        if records.is_empty() {
            return where_none_waits(reply);
        }
        let cap = self.settings().audit_records;
        let records = Arc::new(records);
        let (vault, written) = (Arc::clone(self), Arc::clone(&records));
        let settle: Reply<()> = Box::new(move |result| {
            if result.is_err() {
                vault.audit.put_back(records.to_vec());
            }
            // On a store that is read-only for good, reads go on and their records wait, as many as there is room for.
            let full = result.is_err() && vault.store.status().read_only.is_none();
            vault.audit_full.store(full, Ordering::Relaxed);
            reply(result);
        });
        let event = Event::new(&super::slots::daemon(), "Audit");
        self.write(event, Effect::Reserved, settle, move |tx| {
            written.iter().try_for_each(|record| open.audit.append(tx, record, cap))
        });
    }

    /// Notes what is done without a change to the store; best effort: who looks why the log cannot be written must see it, and
    /// settings that mend it must be taken.
    pub fn note_done(&self, event: &Event) {
        let _done_all_the_same = self.audit.note(self.record_of(event));
        self.wake_audit();
    }

    /// The newest record of the log; `None` while there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn audit_head(&self) -> Result<Option<Mark>, Error> {
        let head = self.read(|tx| Ok(tx.audit_head()?))?;
        Ok(head.map(|row| Mark { seq: row.seq, chain: row.chain }))
    }
}

fn not_noted(why: NotNoted) -> Error {
    match why {
        NotNoted::Full => unwritten(),
        NotNoted::Closed => Error::Sealed("it was sealed while this was read".into()),
    }
}

fn unwritten() -> Error {
    Error::Unavailable(
        "the audit log cannot be written, so nothing is read; free space on the state directory's file system".into(),
    )
}
