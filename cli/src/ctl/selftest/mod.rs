//! `selftest`: the installed programs at work on a vault of their own, which is thrown away.
//!
//! The vault of the machine is not touched, nor its TPM: a software TPM is used where there is one, else a host key.

mod rig;
mod steps;
mod tpm;

use std::path::PathBuf;

use serde::Serialize;

use self::rig::Rig;
use super::daemon;
use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Align, Table, escape};

/// Try the installed programs on a vault that is thrown away afterwards
///
/// The vault of this machine and its TPM are not touched. A software TPM (swtpm) is used where it is installed; without one
/// root can try a host key. The exit status is 1 when a step failed.
#[derive(clap::Args)]
pub struct Args {
    /// The daemon's program [default: the installed one, else the one beside this command]
    #[arg(long, value_name = "PATH")]
    daemon: Option<PathBuf>,
}

/// What a step showed.
#[derive(Debug, Serialize)]
struct Outcome {
    step: &'static str,
    ok: bool,
    message: String,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    steps: Vec<Outcome>,
}

/// Does one step after the other, until one fails.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let daemon = args.daemon.map_or_else(daemon::find, Ok)?;
    let mut rig = Rig::set_up(daemon)?;
    let mut steps = Vec::new();
    for (step, work) in steps::ALL {
        let result = work(&mut rig);
        let ok = result.is_ok();
        let message = result.unwrap_or_else(|why| why);
        steps.push(Outcome { step, ok, message });
        if !ok {
            break;
        }
    }
    let ok = steps.iter().all(|step| step.ok);
    if context.output.wants_json() {
        context.output.json(&Report { ok, steps })?;
    } else {
        context.output.table(&table(&steps), if ok { "Everything works." } else { "The last step failed." })?;
    }
    if ok { Ok(()) } else { Err(Failure::Silent(1)) }
}

fn table(steps: &[Outcome]) -> Table {
    let mut table = Table::new(&[("STEP", Align::Left), ("RESULT", Align::Left), ("WHAT WAS SEEN", Align::Left)]);
    for Outcome { step, ok, message } in steps {
        let result = if *ok { "ok" } else { "failed" };
        table.row([(*step).to_owned(), result.to_owned(), escape(message)]);
    }
    table
}
