//! `reload`: the daemon reads its configuration again.

use tokenvault_proto::ErrorCode;

use crate::common::Context;
use crate::failure::Failure;

/// Let the daemon read its configuration again; a bad one is refused and the old one stays
///
/// The exit status is 2 then, and the line says the file, and the line or the key; 'systemctl reload tokenvaultd' has that in the journal alone.
#[derive(clap::Args)]
pub struct Args {}

/// Asks the daemon.
pub fn run(context: &Context, _: Args) -> Result<(), Failure> {
    context.client()?.reload().map_err(|error| match error.code() {
        ErrorCode::InvalidArgs => {
            Failure::new(error.code(), error, "correct it and reload again; the old configuration stays in force")
        }
        _ => error.into(),
    })?;
    context.output.done()
}
