//! `init`: a vault that opens by itself and can be recovered. May be run again at any time: it does what is left to do.

mod make;
mod recover;

use std::os::fd::RawFd;
use std::path::PathBuf;

use tokenvault_proto::Plain;

use crate::common::Context;
use crate::failure::Failure;
use crate::parse;

/// Make the vault where there is none, and a recovery key for it
///
/// With a TPM the daemon has made the vault by itself, and only the recovery key is left to do: it is made here, shown once,
/// and typed back. Without a terminal it goes to a new file. What is done already is never done again.
#[derive(clap::Args)]
pub struct Args {
    /// Without a TPM: open the vault with a key in a file, which protects nothing at rest
    #[arg(long, conflicts_with_all = ["passphrase", "passphrase_fd"])]
    host_key: bool,

    /// Without a TPM: open the vault with a passphrase after each start
    #[arg(long)]
    passphrase: bool,

    /// Read that passphrase from an open file descriptor
    #[arg(long, value_name = "N", value_parser = parse::descriptor, allow_hyphen_values = true)]
    passphrase_fd: Option<RawFd>,

    /// Write the recovery key to a new file, readable by its owner only, instead of the terminal
    #[arg(long, value_name = "FILE")]
    recovery_out: Option<PathBuf>,

    /// Read the recovery key back from a file; '-' is standard input
    #[arg(long, value_name = "FILE")]
    confirm_from: Option<PathBuf>,

    /// Only read the recovery key back, from --confirm-from or the terminal
    #[arg(long, conflicts_with_all = ["host_key", "passphrase", "passphrase_fd", "recovery_out"])]
    confirm_recovery: bool,
}

/// Does what is left to do, and says what remains.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let client = context.client()?;
    if args.confirm_recovery {
        recover::confirm(&client, args.confirm_from)?;
    } else {
        let way = make::Way::new(args.host_key, args.passphrase, args.passphrase_fd);
        let status = client.status()?;
        make::check_state(&status)?;
        let plan = recover::plan(&client, &status, args.recovery_out, args.confirm_from)?;
        make::vault(&client, &status, way)?;
        recover::carry_out(context, &client, plan)?;
    }
    let status = client.status()?;
    if context.output.wants_json() {
        return context.output.json(&Plain(&status));
    }
    let recovery =
        if status.recovery_confirmed { "the recovery key is confirmed" } else { "recovery is NOT confirmed" };
    context.output.note(&format!("vault {}: {}, {recovery}", status.vault_id, status.state));
    Ok(())
}
