//! Long work of the daemon: waiting for it, and saying how far it is.

use std::time::Duration;

use tokenvault_client::Client;
use tokenvault_proto::{ErrorCode, Findings, OperationInfo};

use crate::common::Context;
use crate::ctl::interrupt::Interrupts;
use crate::failure::Failure;

/// Waits between questions: the first, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// How it ended.
pub struct Ended {
    /// What it found.
    pub findings: Findings,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// Waits for the end of an operation; on a terminal, says how far it is, in so many `steps`. An interrupt cancels it, and a second one
/// ends the wait.
///
/// # Errors
/// When the daemon cannot be asked any more.
pub fn wait(context: &Context, client: &Client, id: u64, steps: &str) -> Result<Ended, Failure> {
    let mut progress = context.output.progress();
    let mut pause = PAUSE.0;
    let (interrupts, mut is_cancelled) = (Interrupts::hold(), false);
    loop {
        let info = client.operation(id)?;
        if info.state != "running" {
            progress.clear();
            return Ok(ended(info));
        }
        match (info.done, info.total) {
            (0, 0) => {}
            (done, 0) => progress.show(&format!("{done} {steps}")),
            (done, total) => progress.show(&format!("{done} of {total} {steps}")),
        }
        if interrupts.wait(pause) {
            if is_cancelled {
                let text = format!("operation {id} was cancelled and has not ended yet");
                return Err(Failure::new(
                    ErrorCode::Unavailable,
                    text,
                    "it ends by itself; run the command again then",
                ));
            }
            client.cancel(id)?;
            is_cancelled = true;
        }
        pause = (pause * 2).min(PAUSE.1);
    }
}

fn ended(info: OperationInfo) -> Ended {
    let failure = match info.state.as_str() {
        "done" => None,
        "cancelled" => Some(Failure::new(ErrorCode::Unavailable, "it was cancelled", "run it again")),
        _ => {
            let code = info.error_name.as_deref().map_or(ErrorCode::Failed, ErrorCode::from_dbus_name);
            Some(Failure::told(code, &info.error))
        }
    };
    Ended { findings: info.result, failure }
}
