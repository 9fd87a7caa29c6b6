//! Whether the store is as the vault wrote it.

use std::sync::Arc;

use tokenvault_core::Error;
use tokenvault_core::port::{Cancelled, Progress};
use tokenvault_core::vault::{Event, Vault};
use tokenvault_proto::{Findings, NoOptions};

use super::audit::{walk, write_what_waits};
use super::call::Call;
use super::{Desk, Options, decode};
use crate::operation::{Ended, Watch};

/// `Verify`.
pub async fn begin(desk: &Desk, call: Call, options: Options) -> Result<u64, Error> {
    decode::options::<NoOptions>(options)?;
    let vault = &desk.service.vault;
    vault.check_open()?;
    vault.note_done(&Event::new(&call.caller, "Verify"));
    write_what_waits(desk, false).await;
    let (vault, caller) = (Arc::clone(vault), call.caller);
    desk.service.operations.begin(&caller, ("Verify", String::new()), move |watch: &Watch| verify(&vault, watch))
}

fn verify(vault: &Vault, watch: &Watch) -> Ended {
    let whole = vault.verify_slots().and_then(|()| vault.verify_indexes()).and_then(|()| vault.verify_rows(watch));
    let whole = whole.map_err(|error| (error, Findings::default()))?;
    let chain = walk(vault, None, &Behind { watch, rows: whole.rows })?;
    Ok(Findings::default().with("rows", whole.rows).with("records", chain.number("records").unwrap_or_default()))
}

/// The steps that come after the rows.
struct Behind<'a> {
    watch: &'a Watch,
    rows: u64,
}

impl Progress for Behind<'_> {
    fn report(&self, done: u64, total: u64) -> Result<(), Cancelled> {
        self.watch.report(self.rows.saturating_add(done), self.rows.saturating_add(total))
    }
}
