//! `generate`: a value nobody has seen, made by the vault.

use clap_complete::engine::ArgValueCompleter;
use tokenvault_proto::{GenerateOptions, Plain};

use super::show;
use super::write::WriteArgs;
use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::parse;

/// Let the vault make a random value, and print the number of its version
///
/// The value itself is written to standard output, instead of the number, only with --show.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token: at most 255 bytes of UTF-8 in form NFC without control characters, in parts between '/' of which none is
    /// empty, '.' or '..'
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// Characters of the random part, 1 to 4096 [default: 32]
    #[arg(long, value_name = "COUNT", value_parser = parse::characters, allow_hyphen_values = true)]
    length: Option<u32>,

    /// Characters it is made of [default: base62]
    #[arg(long, value_name = "CHARSET", value_parser = ["base62", "hex", "base64url", "digits", "ascii"])]
    charset: Option<String>,

    /// Text before the random part
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// Write the value to standard output, also to a terminal
    #[arg(long)]
    show: bool,

    /// Write a line feed after the shown value, as is done on a terminal
    #[arg(long, requires = "show")]
    newline: bool,

    #[command(flatten)]
    write: WriteArgs,
}

/// Makes the value.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let put = args.write.into_options()?;
    let options = GenerateOptions {
        length: args.length,
        charset: args.charset,
        prefix: args.prefix,
        mode: put.mode,
        expect_version: put.expect_version,
        class: put.class,
        owner: put.owner,
        content_type: put.content_type,
        attributes: put.attributes,
        ttl: put.ttl,
        expires: put.expires,
        keep_versions: put.keep_versions,
        require_purpose: put.require_purpose,
    };
    let value = context.client()?.generate(&args.name, &options)?;
    if args.show {
        return show::write(context, &value, args.newline);
    }
    if context.output.wants_json() {
        return context.output.json(&Plain(value.info()));
    }
    context.output.line(&value.info().version.to_string())
}
