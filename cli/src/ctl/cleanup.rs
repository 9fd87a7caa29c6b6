//! `cleanup`: what expired a week ago or more is deleted.

use tokenvault_proto::{CleanupInfo, CleanupOptions, Plain};

use crate::common::Context;
use crate::failure::Failure;
use crate::output::Fields;
use crate::sys;

/// Delete what expired a week ago or more
///
/// What has expired is gone for everyone at once and counts against its owner's quota until it is deleted. It is deleted by a
/// clock that is known to have been right: one that the kernel says is synchronised, or that you vouch for; time that passes
/// while the machine is on counts from there. tokenvault-cleanup.timer does this every day.
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
}

/// Has it deleted, and says how much.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let clock_is_right = args.clock_is_right || sys::clock_is_synchronised();
    let options = CleanupOptions {
        owner: args.owner,
        dry_run: args.dry_run.then_some(true),
        clock_is_right: clock_is_right.then_some(true),
    };
    let report = delete(context, &options)?;
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

/// Has it done until nothing is left, and says how far it is.
fn delete(context: &Context, options: &CleanupOptions) -> Result<CleanupInfo, Failure> {
    let client = context.client()?;
    let mut progress = context.output.progress();
    let mut all = client.cleanup(options)?;
    while all.more {
        progress.show(&format!("{} deleted", all.versions + all.shares + all.offers + all.issued));
        let next = client.cleanup(options)?;
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
