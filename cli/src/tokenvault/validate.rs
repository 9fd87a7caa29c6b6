//! `validate`: whether something is a token of this vault, and what it says.

use serde::Serialize;
use tokenvault_proto::{IssuedInfo, Plain, ValidateOptions};

use super::filter::scopes;
use super::held_up::HeldUpArgs;
use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Fields, escape, moment};

/// Say whether a token is valid, and what it says; the exit status is 1 when it is not
///
/// The token, or the code, is read from standard input; at a terminal it is asked for and not shown. It is never taken from the
/// command line. Its issuer may ask, its audience, and root: for everyone else it is not valid.
#[derive(clap::Args)]
pub struct Args {
    /// The id of a code, which is nothing without it
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// It must be for this audience
    #[arg(long, value_name = "TEXT")]
    audience: Option<String>,

    /// It must be good for this; may be repeated
    #[arg(long = "scope", alias = "scopes", value_name = "WORD")]
    scopes: Vec<String>,

    /// Take one of its uses; without a number of uses it is used up
    #[arg(long)]
    consume: bool,

    #[command(flatten)]
    held_up: HeldUpArgs,
}

#[derive(Serialize)]
struct Valid<'a> {
    valid: bool,
    #[serde(flatten)]
    info: Plain<'a, IssuedInfo>,
}

#[derive(Serialize)]
struct Invalid {
    valid: bool,
}

/// Exit status for what is not valid.
const NOT_VALID: u8 = 1;

/// Says it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let options = ValidateOptions {
        id: args.id,
        audience: args.audience,
        scopes: scopes(args.scopes),
        consume: args.consume.then_some(true),
    };
    let token = args.held_up.read("Token or code")?;
    match context.client()?.validate(&token, &options)? {
        Some(info) if context.output.wants_json() => context.output.json(&Valid { valid: true, info: Plain(&info) }),
        Some(info) => context.output.fields(&fields(&info)),
        None => {
            if context.output.wants_json() {
                context.output.json(&Invalid { valid: false })?;
            } else {
                context.output.line("not valid")?;
            }
            Err(Failure::Silent(NOT_VALID))
        }
    }
}

fn fields(info: &IssuedInfo) -> Fields {
    let mut fields = Fields::default();
    fields.add("Valid", "yes");
    fields.add("Id", &info.id);
    fields.add("Issuer", &info.issuer);
    fields.add("Subject", &info.subject);
    fields.add("Audience", &info.audience);
    fields.add("Scopes", info.scopes.join(" "));
    fields.add("Issued", moment(info.issued));
    fields.add("Expires", moment(info.expires));
    fields.add("Uses left", info.uses_left.map(|uses| uses.to_string()).unwrap_or_default());
    fields.add("Attempts left", info.attempts_left.map(|attempts| attempts.to_string()).unwrap_or_default());
    for (key, value) in &info.claims {
        fields.add("Claim", format!("{}={}", escape(key), escape(value)));
    }
    fields
}
