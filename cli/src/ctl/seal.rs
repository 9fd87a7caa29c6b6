//! `seal`: the vault forgets its key.

use crate::common::Context;
use crate::failure::Failure;

/// Close the vault: no token can be read until it is unsealed or the daemon starts again
#[derive(clap::Args)]
pub struct Args {}

/// Seals the vault.
pub fn run(context: &Context, _: Args) -> Result<(), Failure> {
    context.client()?.seal()?;
    context.output.note("the vault is sealed until it is unsealed or the daemon starts again");
    context.output.done()
}
