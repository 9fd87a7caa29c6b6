//! `issue`: a token or a code that others can have checked.

use serde::Serialize;
use tokenvault_proto::IssueOptions;

use super::filter::scopes;
use super::held_up::write_line;
use crate::common::Context;
use crate::failure::Failure;
use crate::parse::{self, Attribute};

/// Issue a token that others can have validated, and print it
///
/// It is printed once: the vault keeps no more than is needed to know it again. Of a code its id is printed before it, in the same
/// line: a code is nothing without its id. Whoever is to check it asks 'tokenvault validate'.
#[derive(clap::Args)]
pub struct Args {
    /// token: a long one; code: a few digits
    #[arg(long, value_name = "KIND", value_parser = ["token", "code"])]
    kind: Option<String>,

    /// About whom or what it says something
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,

    /// For whom it is: user:NAME or group:NAME, who may have it validated, or any other text
    #[arg(long, value_name = "TEXT")]
    audience: Option<String>,

    /// What it is good for; may be repeated
    #[arg(long = "scope", alias = "scopes", value_name = "WORD")]
    scopes: Vec<String>,

    /// What else it says; may be repeated
    #[arg(long = "claim", alias = "claims", value_name = "KEY=VALUE")]
    claims: Vec<Attribute>,

    /// How long it lives: 90s, 15m, 12h, 30d, 2w [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = parse::duration, allow_hyphen_values = true)]
    ttl: Option<u64>,

    /// How often it may be used; by default as often as somebody looks
    #[arg(long, value_name = "COUNT", value_parser = parse::uses, allow_hyphen_values = true)]
    uses: Option<u32>,

    /// Digits of a code, 4 to 32 [default: 6]
    #[arg(long, value_name = "COUNT", value_parser = parse::digits, allow_hyphen_values = true)]
    length: Option<u32>,

    /// How many wrong codes may be tried before it is dead, 1 to 100 [default: 5]
    #[arg(long, value_name = "COUNT", value_parser = parse::attempts, allow_hyphen_values = true)]
    attempts: Option<u32>,
}

#[derive(Serialize)]
struct Issued<'a> {
    token: &'a str,
    id: &'a str,
    expires: u64,
}

/// Issues it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let is_code = args.kind.as_deref() == Some("code");
    let options = IssueOptions {
        kind: args.kind,
        length: args.length,
        attempts: args.attempts,
        subject: args.subject,
        audience: args.audience,
        scopes: scopes(args.scopes),
        ttl: args.ttl,
        uses: args.uses,
        claims: parse::collect(args.claims)?,
    };
    let issued = context.client()?.issue(&options)?;
    if context.output.wants_json() {
        return context.output.json(&Issued { token: &issued.token, id: &issued.id, expires: issued.expires });
    }
    let before = if is_code { format!("{} ", issued.id) } else { String::new() };
    write_line(context, &before, &issued.token)
}
