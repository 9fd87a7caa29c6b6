//! `rotate vk`: the vault key.

use tokenvault_proto::RotateOptions;

use super::rotate;
use crate::common::Context;
use crate::failure::Failure;

/// Draw the vault key anew
///
/// It wraps the vault's other keys, which stay as they are, and is itself wrapped for every slot: all of them open the vault as before.
#[derive(clap::Args)]
pub struct Args {}

/// Has it drawn.
pub fn run(context: &Context, Args {}: &Args) -> Result<(), Failure> {
    rotate(context, &context.client()?, "vk", &RotateOptions::default())?;
    context.output.done()
}
