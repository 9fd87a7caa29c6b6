//! `slot list`: which slots there are, also while the vault is sealed.

use serde::Serialize;
use tokenvault_proto::{Plain, SlotInfo};

use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Align, Table, escape, minute};

/// List the slots of the vault
#[derive(clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Slots<'a> {
    slots: Vec<Plain<'a, SlotInfo>>,
}

/// Prints the list.
pub fn run(context: &Context, _: Args) -> Result<(), Failure> {
    let mut slots = context.client()?.slots()?;
    slots.sort_by_key(|slot| slot.id);
    if context.output.wants_json() {
        return context.output.json(&Slots { slots: slots.iter().map(Plain).collect() });
    }
    let count = slots.len();
    context.output.table(&table(&slots), &format!("{count} {} listed.", if count == 1 { "slot" } else { "slots" }))
}

fn table(slots: &[SlotInfo]) -> Table {
    let mut table = Table::new(&[
        ("ID", Align::Right),
        ("KIND", Align::Left),
        ("CREATED", Align::Left),
        ("PARAMETERS", Align::Left),
    ]);
    for slot in slots {
        table.row([
            slot.id.to_string(),
            escape(&slot.kind),
            minute(slot.created),
            escape(slot.params.as_deref().unwrap_or_default()),
        ]);
    }
    table
}
