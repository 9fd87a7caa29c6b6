//! `unseal`: the vault opens, with the TPM, the recovery key or a passphrase.

use std::os::fd::RawFd;
use std::path::PathBuf;

use tokenvault_client::Client;
use tokenvault_proto::{ErrorCode, SlotInfo, UnsealOptions};

use crate::common::Context;
use crate::failure::Failure;
use crate::input::Source;
use crate::parse;
use crate::passphrase;
use crate::recovery;

/// Open the vault; without an option with the TPM or the host key
#[derive(clap::Args)]
pub struct Args {
    /// Open it with the recovery key, which is asked for
    #[arg(long, conflicts_with_all = ["passphrase", "passphrase_fd"])]
    recovery: bool,

    /// Read the recovery key from a file; '-' is standard input
    #[arg(long, value_name = "FILE", requires = "recovery")]
    from_file: Option<PathBuf>,

    /// Open it with a passphrase, which is asked for
    #[arg(long)]
    passphrase: bool,

    /// Read the passphrase from an open file descriptor
    #[arg(long, value_name = "N", value_parser = parse::descriptor, allow_hyphen_values = true)]
    passphrase_fd: Option<RawFd>,

    /// Try this slot only
    #[arg(long, value_name = "ID", value_parser = parse::slot, allow_hyphen_values = true)]
    slot: Option<u32>,
}

/// Opens the vault.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let client = context.client()?;
    if args.recovery {
        with_recovery_key(&client, &args)?;
    } else if args.passphrase || args.passphrase_fd.is_some() {
        with_passphrase(&client, &args)?;
    } else {
        client.unseal(&[], &UnsealOptions { slot: args.slot })?;
    }
    context.output.done()
}

fn with_recovery_key(client: &Client, args: &Args) -> Result<(), Failure> {
    let slots = slots(client, recovery::KIND, args.slot)?;
    let source = args.from_file.as_deref().map(Source::from_path);
    let key = recovery::read_key(source.as_ref())?;
    first_that_opens(&slots, |slot| Ok(client.unseal(key.expose(), &UnsealOptions { slot: Some(slot.id) })?))
}

fn with_passphrase(client: &Client, args: &Args) -> Result<(), Failure> {
    let slots = slots(client, passphrase::KIND, args.slot)?;
    let source = args.passphrase_fd.map(Source::Descriptor);
    let passphrase = passphrase::ask(source.as_ref())?;
    first_that_opens(&slots, |slot| {
        let cost = passphrase::cost_of_slot(slot.params.as_deref().unwrap_or_default())?;
        let key = passphrase::derive(passphrase.expose(), slot.salt.as_deref().unwrap_or_default(), cost)?;
        Ok(client.unseal(key.as_ref(), &UnsealOptions { slot: Some(slot.id) })?)
    })
}

/// The slots that can be tried.
fn slots(client: &Client, kind: &str, only: Option<u32>) -> Result<Vec<SlotInfo>, Failure> {
    let mut slots = client.slots()?;
    slots.retain(|slot| slot.kind == kind && only.is_none_or(|id| slot.id == id));
    if slots.is_empty() {
        let which = only.map(|id| format!(" with number {id}")).unwrap_or_default();
        return Err(Failure::new(
            ErrorCode::NotFound,
            format_args!("the vault has no {kind} slot{which}"),
            "see 'tokenvaultctl slot list'",
        ));
    }
    Ok(slots)
}

/// Tries one slot after the other; the failure of the last one is the failure of all.
fn first_that_opens(slots: &[SlotInfo], mut open: impl FnMut(&SlotInfo) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut result = Ok(());
    for slot in slots {
        result = open(slot);
        if result.is_ok() {
            break;
        }
    }
    result
}
