//! `slot add`: one more way to open the vault.

use std::os::fd::RawFd;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;
use tokenvault_client::Client;
use tokenvault_proto::AddSlotOptions;

use crate::common::Context;
use crate::failure::Failure;
use crate::input::Source;
use crate::parse;
use crate::passphrase;
use crate::recovery::{self, Keeping};

/// Add a slot, and print its number
///
/// A recovery key is made here, shown once and typed back; a passphrase, 8 characters or more, is asked
/// for twice.
#[derive(clap::Args)]
pub struct Args {
    /// What opens the slot
    kind: Kind,

    /// Read the passphrase from an open file descriptor
    #[arg(long, value_name = "N", value_parser = parse::descriptor, allow_hyphen_values = true)]
    passphrase_fd: Option<RawFd>,

    /// Write the new recovery key to a new file instead of the terminal
    #[arg(long, value_name = "FILE")]
    recovery_out: Option<PathBuf>,

    /// Read the recovery key back from a file; '-' is standard input
    #[arg(long, value_name = "FILE", requires = "recovery_out")]
    confirm_from: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The TPM of this machine
    Tpm2,
    /// A file beside the store, which protects nothing at rest
    HostKey,
    /// A passphrase
    Passphrase,
    /// A key on paper
    Recovery,
}

#[derive(Serialize)]
struct Added {
    id: u32,
    kind: &'static str,
}

/// Adds the slot.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    check_options(&args)?;
    let (kind, id) = match args.kind {
        Kind::Tpm2 => ("tpm2", add_empty(&context.client()?, "tpm2")?),
        Kind::HostKey => ("host-key", add_empty(&context.client()?, "host-key")?),
        Kind::Passphrase => {
            let source = args.passphrase_fd.map(Source::Descriptor);
            (passphrase::KIND, add_passphrase(&context.client()?, source.as_ref())?)
        }
        Kind::Recovery => {
            let confirm = args.confirm_from.as_deref().map(Source::from_path);
            let keeping = Keeping::new(args.recovery_out, confirm)?;
            (recovery::KIND, recovery::add_slot(&context.client()?, keeping)?.0)
        }
    };
    if context.output.wants_json() {
        return context.output.json(&Added { id, kind });
    }
    context.output.line(&id.to_string())
}

/// An option of another kind is a misunderstanding that must not pass unseen.
fn check_options(args: &Args) -> Result<(), Failure> {
    let refuse = |option: &str, kind: &str| {
        Err(Failure::usage(format_args!("{option} belongs to 'slot add {kind}'"), "leave it out"))
    };
    if args.passphrase_fd.is_some() && args.kind != Kind::Passphrase {
        return refuse("--passphrase-fd", passphrase::KIND);
    }
    if args.recovery_out.is_some() && args.kind != Kind::Recovery {
        return refuse("--recovery-out", recovery::KIND);
    }
    Ok(())
}

/// Adds a slot whose secret the daemon or the TPM makes.
pub fn add_empty(client: &Client, kind: &str) -> Result<u32, Failure> {
    Ok(client.add_slot(kind, &[], &AddSlotOptions::default())?)
}

/// Chooses a passphrase, derives its key, and adds the slot.
pub fn add_passphrase(client: &Client, source: Option<&Source>) -> Result<u32, Failure> {
    let chosen = passphrase::choose(source)?;
    let cost = passphrase::measured_cost()?;
    let salt = passphrase::new_salt()?;
    let key = passphrase::derive(chosen.expose(), &salt, cost)?;
    let options = AddSlotOptions { salt: Some(salt.to_vec()), params: Some(cost.to_phc()) };
    Ok(client.add_slot(passphrase::KIND, key.as_ref(), &options)?)
}
