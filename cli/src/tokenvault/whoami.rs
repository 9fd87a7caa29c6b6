//! `whoami`: who the vault takes the caller for.

use tokenvault_proto::Plain;

use crate::common::Context;
use crate::failure::Failure;
use crate::output::Fields;

/// Show who the vault takes you for
#[derive(clap::Args)]
pub struct Args {}

/// Prints the answer.
pub fn run(context: &Context, _: Args) -> Result<(), Failure> {
    let me = context.client()?.who_am_i()?;
    if context.output.wants_json() {
        return context.output.json(&Plain(&me));
    }
    let mut fields = Fields::default();
    fields.add("User", format!("{} (uid {})", me.user, me.uid));
    fields.add("Role", &me.role);
    fields.add("Door", &me.door);
    fields.add("Active", if me.active { "yes" } else { "no" });
    fields.add("Login tokens", if me.login_unlocked { "unlocked" } else { "locked" });
    context.output.fields(&fields)
}
