//! `offer`: a code for somebody who is to have a token's value once.

use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;
use tokenvault_proto::{OfferInfo, OfferOptions, Plain};

use super::held_up::write_line;
use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::parse;

/// Offer a token to whoever has the code that is printed: its value, once
///
/// The other side gives the code to 'tokenvault redeem'. 'tokenvault revoke' withdraws the offer, by the first six characters of
/// the code.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// How long the offer stands: 90s, 15m, 12h [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = parse::duration, allow_hyphen_values = true)]
    ttl: Option<u64>,

    /// How many wrong codes may be tried before it is dead, 1 to 100 [default: 5]
    #[arg(long, value_name = "COUNT", value_parser = parse::attempts, allow_hyphen_values = true)]
    attempts: Option<u32>,

    /// Whose token: machine, the system's, which root alone offers; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

#[derive(Serialize)]
struct Offered<'a> {
    name: &'a str,
    code: &'a str,
    #[serde(flatten)]
    info: Plain<'a, OfferInfo>,
}

/// Offers it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let options = OfferOptions { owner: args.owner, ttl: args.ttl, attempts: args.attempts };
    let (code, info) = context.client()?.offer(&args.name, &options)?;
    if context.output.wants_json() {
        return context.output.json(&Offered { name: &args.name, code: &code, info: Plain(&info) });
    }
    write_line(context, "", &code)
}
