//! `redeem`: the value that a code gives once.

use tokenvault_proto::RedeemOptions;

use super::held_up::HeldUpArgs;
use super::show;
use crate::common::Context;
use crate::failure::Failure;

/// Write the value of an offered token to standard output, byte for byte; the offer is gone then
///
/// The code is read from standard input; at a terminal it is asked for. It is never taken from the command line.
#[derive(clap::Args)]
pub struct Args {
    /// Write the value even when standard output is a terminal
    #[arg(long)]
    reveal: bool,

    /// Write a line feed after the value, as is done on a terminal
    #[arg(long)]
    newline: bool,

    /// What the value is wanted for; written to the audit log
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,

    /// The program that asks; written to the audit log, grants nothing
    #[arg(long, value_name = "NAME")]
    app: Option<String>,

    #[command(flatten)]
    held_up: HeldUpArgs,
}

/// Writes the value.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    show::check_may_be_seen(context, args.reveal, "--reveal")?;
    let code = args.held_up.read("Code")?;
    let options = RedeemOptions { purpose: args.purpose, app: args.app };
    let value = context.client()?.redeem_stream(&code, &options)?;
    show::write_stream(context, value, args.newline)
}
