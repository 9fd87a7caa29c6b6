//! The recovery slot of a vault that is being set up.
//!
//! What will be done is decided before anything is made, so that a missing terminal or an existing file is found first.

use std::path::PathBuf;

use tokenvault_client::Client;
use tokenvault_proto::{ErrorCode, Status};

use crate::common::Context;
use crate::failure::Failure;
use crate::input::Source;
use crate::recovery::{self, Keeping};

/// What is left to do about recovery.
pub enum Plan {
    /// Make the key and the slot.
    Make(Keeping),
    /// Read the key of the slot back.
    Confirm(Source),
    /// Say that the key of the slot waits to be read back.
    Remind,
    /// Nothing.
    Done,
}

/// Decides what is left to do.
///
/// # Errors
/// When a new key could not be kept.
pub fn plan(
    client: &Client,
    status: &Status,
    out: Option<PathBuf>,
    confirm_from: Option<PathBuf>,
) -> Result<Plan, Failure> {
    if status.recovery_confirmed {
        // Running it again with the file it wrote is fine; a file that is not there would be missed when it is needed.
        return match out.filter(|path| path.symlink_metadata().is_err()) {
            Some(path) => Err(Failure::new(
                ErrorCode::Exists,
                format_args!("'{}' was not written: the vault has a confirmed recovery key already", path.display()),
                "for one more key run 'tokenvaultctl slot add recovery --recovery-out FILE'",
            )),
            None => Ok(Plan::Done),
        };
    }
    let confirm = confirm_from.as_deref().map(Source::from_path);
    let exists = status.state != "uninitialised";
    if exists && client.slots()?.iter().any(|slot| slot.kind == recovery::KIND) {
        return Ok(confirm.map_or(Plan::Remind, Plan::Confirm));
    }
    if let Some(path) = out.as_deref().filter(|path| path.symlink_metadata().is_ok()) {
        return Err(Failure::new(
            ErrorCode::Exists,
            format_args!("'{}' exists already, and the vault has no recovery slot yet", path.display()),
            "a recovery key is never overwritten: name another file, or move this one away if no vault needs it",
        ));
    }
    if confirm.is_some() && out.is_none() {
        return Err(Failure::usage(
            "the vault has no recovery slot that --confirm-from could confirm",
            "add --recovery-out FILE, or leave it out",
        ));
    }
    Keeping::new(out, confirm).map(Plan::Make)
}

/// Does it.
pub fn carry_out(context: &Context, client: &Client, plan: Plan) -> Result<(), Failure> {
    match plan {
        Plan::Done => Ok(()),
        Plan::Confirm(source) => recovery::confirm_slot(client, Some(&source)),
        Plan::Remind => {
            remind(context, client);
            Ok(())
        }
        Plan::Make(keeping) => {
            let (_, confirmed) = recovery::add_slot(client, keeping)?;
            if !confirmed {
                remind(context, client);
            }
            Ok(())
        }
    }
}

fn remind(context: &Context, client: &Client) {
    context.output.note(
        "the recovery key waits to be read back; run 'tokenvaultctl init --confirm-recovery', with --confirm-from FILE \
         where there is no terminal",
    );
    let slots = client.slots().unwrap_or_default();
    if let Some(slot) = slots.iter().find(|slot| slot.kind == recovery::KIND) {
        context.output.note(&format!(
            "if that key is lost: 'tokenvaultctl slot remove --force {}', then 'tokenvaultctl init'",
            slot.id
        ));
    }
}

/// `init --confirm-recovery`.
///
/// # Errors
/// When there is nothing to confirm, or the key is not that of the slot.
pub fn confirm(client: &Client, confirm_from: Option<PathBuf>) -> Result<(), Failure> {
    let status = client.status()?;
    if status.recovery_confirmed {
        return Ok(());
    }
    if !client.slots()?.iter().any(|slot| slot.kind == recovery::KIND) {
        return Err(Failure::new(
            ErrorCode::NotFound,
            "the vault has no recovery slot to confirm",
            "make one with 'tokenvaultctl init'",
        ));
    }
    let source = confirm_from.as_deref().map(Source::from_path);
    recovery::confirm_slot(client, source.as_ref())
}
