//! `lock`: the caller's login-class tokens are closed.

use crate::common::Context;
use crate::failure::Failure;

/// Close your login-class tokens until you unlock them or log in again
#[derive(clap::Args)]
pub struct Args {}

/// Closes them.
pub fn run(context: &Context, _: Args) -> Result<(), Failure> {
    let client = context.client()?;
    client.lock_login(client.who_am_i()?.uid)?;
    context.output.done()
}
