//! `recover`: a vault that is out of service serves again, with the recovery key.

use std::path::PathBuf;

use serde::Serialize;

use crate::common::Context;
use crate::failure::Failure;
use crate::input::Source;
use crate::recovery;

/// Take the store of a quarantined vault as it is, with the recovery key
///
/// For a store that you have put back yourself, and for one that somebody has changed when there is no better one: 'tokenvaultctl
/// status' says why the vault is out of service. Keep a copy of the state directory before. Tokens may be missing, and ones that were
/// deleted or replaced may be there again. If the slots were changed, only the recovery slot is left.
#[derive(clap::Args)]
pub struct Args {
    /// Read the recovery key from a file; '-' is standard input
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Recovered {
    tokens: u64,
}

/// Asks for the key, and recovers.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let client = context.client()?;
    let source = args.from_file.as_deref().map(Source::from_path);
    let key = recovery::read_key(source.as_ref())?;
    let tokens = client.recover(key.expose())?;
    if context.output.wants_json() {
        return context.output.json(&Recovered { tokens });
    }
    context.output.line(&format!("the vault serves again, with {tokens} tokens"))?;
    context.output.note("'tokenvaultctl slot list' shows what opens it from now on");
    Ok(())
}
