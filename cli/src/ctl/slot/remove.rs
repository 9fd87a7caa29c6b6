//! `slot remove`: one way less to open the vault.

use tokenvault_proto::RemoveSlotOptions;

use crate::common::Context;
use crate::failure::Failure;
use crate::parse;

/// Kinds of slots that open the vault with nobody there.
const UNATTENDED: [&str; 2] = ["tpm2", "host-key"];

/// Remove a slot
#[derive(clap::Args)]
pub struct Args {
    /// Number of the slot, as 'slot list' shows it
    #[arg(value_parser = parse::slot, allow_negative_numbers = true)]
    id: u32,

    /// Remove it even when only TPM slots are left, which a broken TPM turns into a lost vault
    #[arg(long)]
    force: bool,
}

/// Removes the slot.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let options = RemoveSlotOptions { force: args.force.then_some(true) };
    let client = context.client()?;
    client.remove_slot(args.id, &options)?;
    if !client.slots()?.iter().any(|slot| UNATTENDED.contains(&slot.kind.as_str())) {
        context.output.note("no slot opens the vault unattended any more: after each start somebody has to unseal it");
    }
    context.output.done()
}
