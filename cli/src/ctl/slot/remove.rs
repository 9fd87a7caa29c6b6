//! `slot remove`: one way less to open the vault.

use tokenvault_proto::RemoveSlotOptions;

use crate::common::Context;
use crate::failure::Failure;

/// Remove a slot
#[derive(clap::Args)]
pub struct Args {
    /// Number of the slot, as 'slot list' shows it
    id: u32,

    /// Remove it even when only TPM slots are left, which a broken TPM turns into a lost vault
    #[arg(long)]
    force: bool,
}

/// Removes the slot.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let options = RemoveSlotOptions { force: args.force.then_some(true) };
    context.client()?.remove_slot(args.id, &options)?;
    context.output.done()
}
