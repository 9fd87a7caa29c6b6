//! `rotate slot`: the key of one slot.

use tokenvault_proto::RotateOptions;

use super::rotate;
use crate::common::Context;
use crate::failure::Failure;
use crate::parse;

/// Draw the key of a slot anew
///
/// Of kind 'tpm2', the TPM seals a new secret; of kind 'recovery', a new key is encrypted to the same recovery key, which stays as it
/// is on paper. The key of a passphrase comes from that: add another slot instead, and remove the old one. That of a host key comes from
/// its file: remove the slot, which another one has to be left for, and add a new one. Where somebody may have seen what a slot held,
/// 'rotate vk' afterwards.
#[derive(clap::Args)]
pub struct Args {
    /// Number of the slot
    #[arg(value_parser = parse::slot, allow_hyphen_values = true)]
    id: u32,
}

/// Has it drawn.
pub fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let options = RotateOptions { slot: Some(args.id), ..RotateOptions::default() };
    rotate(context, &context.client()?, "slot", &options)?;
    context.output.done()
}
