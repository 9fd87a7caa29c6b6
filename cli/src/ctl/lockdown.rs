//! `lockdown`: no value leaves the vault, or again.

use crate::common::Context;
use crate::failure::Failure;

/// Whether it is to last.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Switch {
    /// From now on no value is given out
    On,
    /// Values are given out again
    Off,
}

/// Have the vault give no value out, whoever asks, until this is ended
///
/// For the time in which it is found out who has what: tokens are not fetched, redeemed or given to units, and everything else goes
/// on, so that they can be replaced, taken back and deleted. It stays over restarts. 'tokenvaultctl audit list' says who has fetched
/// what before.
#[derive(clap::Args)]
pub struct Args {
    /// Whether no value is given out
    switch: Switch,
}

/// Begins or ends it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let on = matches!(args.switch, Switch::On);
    context.client()?.lockdown(on)?;
    context.output.note(if on {
        "no value is given out from now on; 'tokenvaultctl lockdown off' ends that"
    } else {
        "values are given out again"
    });
    context.output.done()
}
