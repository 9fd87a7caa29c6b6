//! `cleanup`: what expired a week ago or more is deleted, and so are the notes about deleted users that were heeded.

use std::path::{Path, PathBuf};
use std::{fs, io};

use tokenvault_client::Client;
use tokenvault_proto::{
    CLOCK_HOLDS_BACK, CLOCK_UNCONFIRMED, CleanupInfo, CleanupOptions, DELETED_DIR, Plain, is_note_id,
};

use crate::common::Context;
use crate::failure::{Failure, describe};
use crate::output::Fields;
use crate::sys;

/// Delete what expired a week ago or more
///
/// What has expired is gone for everyone at once and counts against its owner's quota until it is deleted. It is deleted by a
/// clock that is known to have been right: one that the kernel says is synchronised, or that you vouch for; time that passes
/// while the machine is on counts from there, and only your word takes it back. tokenvault-cleanup.timer does this every day.
#[derive(clap::Args)]
pub struct Args {
    /// Only of this owner: user:NAME, uid:N, or machine
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,

    /// Only say what would be deleted
    #[arg(long, short = 'n')]
    dry_run: bool,

    /// The clock of this machine is right, though nothing synchronises it
    #[arg(long)]
    clock_is_right: bool,

    /// Where userdel leaves notes of whom it deletes; those that were heeded go [default: /var/lib/tokenvault-deleted]
    #[arg(long, value_name = "DIRECTORY")]
    notes: Option<PathBuf>,
}

/// Has it deleted, and says how much.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let options = CleanupOptions {
        owner: args.owner,
        dry_run: args.dry_run.then_some(true),
        clock_is_right: args.clock_is_right.then_some(true),
        clock_is_synchronised: sys::clock_is_synchronised().then_some(true),
    };
    let client = context.client()?;
    let report = delete(context, &client, &options)?;
    if !args.dry_run {
        remove_heeded(context, &client, args.notes.as_deref().unwrap_or(Path::new(DELETED_DIR)));
    }
    if options.clock_is_right.is_none() {
        warn_of_clock(context, &client);
    }
    if report.held_back > 0 {
        context.output.warn(&format!(
            "{} stay because nothing says that the clock is right; look at 'date', then add --clock-is-right",
            counted(report.held_back, "expired version or share", "expired versions and shares")
        ));
    }
    if report.damaged > 0 {
        context.output.warn(&format!(
            "{} damaged and not deleted; run 'tokenvaultctl doctor'",
            counted(report.damaged, "expired token is", "expired tokens are")
        ));
    }
    if context.output.wants_json() {
        return context.output.json(&Plain(&report));
    }
    if context.output.is_quiet() {
        return Ok(());
    }
    context.output.fields(&fields(&report))
}

/// What synchronises a clock may be deceived: it takes no time back, and so nothing is deleted by it that has not ended.
fn warn_of_clock(context: &Context, client: &Client) {
    let Ok(health) = client.health() else { return };
    if !matches!(health.clock.as_str(), "ok" | CLOCK_UNCONFIRMED | CLOCK_HOLDS_BACK) {
        context.output.warn(&format!("{}; where it is right all the same, add --clock-is-right", health.clock));
    }
}

/// Removes the notes that the vault says it has heeded. Root left them and root removes them; the vault names none of the files,
/// only notes.
fn remove_heeded(context: &Context, client: &Client, directory: &Path) {
    if !nix::unistd::geteuid().is_root() || !directory.is_dir() {
        return;
    }
    let Ok(notes) = client.deletions() else { return };
    for note in notes.iter().filter(|note| note.done && is_note_id(&note.id)) {
        let path = directory.join(&note.id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                context.output.warn(&format!("{}: {}; remove it, it was heeded", path.display(), describe(&error)));
            }
            _ => {}
        }
    }
}

/// Has it done until nothing is left, and says how far it is.
fn delete(context: &Context, client: &Client, options: &CleanupOptions) -> Result<CleanupInfo, Failure> {
    let mut progress = context.output.progress();
    let cleanup = || client.cleanup(options).map_err(|error| Failure::told_to_timer(error.code(), &error.to_string()));
    let mut all = cleanup()?;
    while all.more {
        progress.show(&format!("{} deleted", all.versions + all.shares + all.offers + all.issued));
        let next = cleanup()?;
        all = CleanupInfo {
            tokens: all.tokens + next.tokens,
            versions: all.versions + next.versions,
            shares: all.shares + next.shares,
            offers: all.offers + next.offers,
            issued: all.issued + next.issued,
            ..next
        };
    }
    progress.clear();
    Ok(all)
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn fields(report: &CleanupInfo) -> Fields {
    let mut fields = Fields::default();
    let verb = if report.dry_run { "to be deleted" } else { "deleted" };
    for (name, count) in [
        ("Tokens", report.tokens),
        ("Versions", report.versions),
        ("Shares", report.shares),
        ("Offers", report.offers),
        ("Issued tokens", report.issued),
    ] {
        fields.add(name, format!("{count} {verb}"));
    }
    fields
}
