//! `list`: the tokens somebody has, without their values.

use serde::Serialize;
use tokenvault_client::Client;
use tokenvault_proto::{ListOptions, PAGE_MAX, Plain, TokenInfo};

use super::follow::{self, Followed};
use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Align, Table, bytes, escape, minute, minute_or_never};
use crate::parse::{self, Attribute};

/// List tokens, sorted by name, without their values: your own, or those that are shared with you
#[derive(clap::Args)]
pub struct Args {
    /// Only names that start with this
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// Only tokens with this attribute; may be repeated
    #[arg(long = "attribute", alias = "attributes", value_name = "KEY=VALUE")]
    attributes: Vec<Attribute>,

    /// Only tokens that expire before this time, or within this duration
    #[arg(long, value_name = "TIME", value_parser = parse::time_ahead, allow_hyphen_values = true)]
    expires_before: Option<u64>,

    /// At most this many tokens: the first by name
    #[arg(long, value_name = "COUNT", value_parser = parse::rows, allow_hyphen_values = true)]
    limit: Option<u32>,

    /// Whose tokens: user:NAME, uid:N, or machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,

    /// What others share with you, instead of your own; with --owner what that one does
    #[arg(long, conflicts_with = "follow")]
    shared_with_me: bool,

    /// Print every change after the list as it happens, each on a line, until interrupted
    ///
    /// With --json=short the list is one line and each change another: "event" (token-changed, token-expiring), "owner", "name",
    /// and "change" and "version", or "expires". A version of 0 says that there is no token of that name any more. When something
    /// could not be told, after a restart of the daemon for one, the whole list is printed again. It is not for --shared-with-me,
    /// --attribute, --expires-before and --limit: what somebody shares with you is followed with --owner, in a command for each
    /// owner, which does not tell that a share begins or ends.
    #[arg(long, short, conflicts_with_all = ["attributes", "expires_before", "limit"])]
    follow: bool,
}

#[derive(Serialize)]
struct Tokens<'a> {
    tokens: Vec<Plain<'a, TokenInfo>>,
}

/// Prints the list.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let (limit, follows, shared_with_me) = (args.limit, args.follow, args.shared_with_me);
    let options = ListOptions {
        prefix: args.prefix,
        attributes: parse::collect(args.attributes)?,
        owner: args.owner,
        expires_before: args.expires_before,
        shared_with_me: shared_with_me.then_some(true),
        ..ListOptions::default()
    };
    if follows {
        return follow::run(
            context,
            &Followed {
                prefix: options.prefix.clone(),
                owner: options.owner.clone(),
                list: &|client: &Client| Ok(first_by_name(fetch(client, options.clone())?, None)),
                print: &|tokens: &[TokenInfo]| print(context, tokens, Shown::Followed),
            },
        );
    }
    let shown = if shared_with_me { Shown::SharedWithMe } else { Shown::Owned };
    print(context, &first_by_name(fetch(&context.client()?, options)?, limit), shown)
}

/// What a list is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The tokens of one owner.
    Owned,
    /// The same, and then what becomes of them.
    Followed,
    /// What others have shared.
    SharedWithMe,
}

fn print(context: &Context, tokens: &[TokenInfo], shown: Shown) -> Result<(), Failure> {
    if context.output.wants_json() {
        return context.output.json(&Tokens { tokens: tokens.iter().map(Plain).collect() });
    }
    let count = tokens.len();
    let footer = format!("{count} {} listed.", if count == 1 { "token" } else { "tokens" });
    match shown {
        Shown::Owned => context.output.table(&table(tokens), &footer),
        Shown::Followed => context.output.table_at_once(&table(tokens), &footer),
        Shown::SharedWithMe => context.output.table(&table_of_shared(tokens), &footer),
    }
}

/// Asks for one page after the other. The vault, which keeps names encrypted, gives tokens in the order they were first put:
/// all must be here before the first by name is known.
fn fetch(client: &Client, mut options: ListOptions) -> Result<Vec<TokenInfo>, Failure> {
    options.limit = Some(PAGE_MAX);
    let mut tokens = Vec::new();
    loop {
        let (page, next) = client.list(&options)?;
        // A page may have no rows and not be the last; one that leads nowhere is.
        let last = next.is_empty() || options.after.as_deref() == Some(&next);
        tokens.extend(page);
        if last {
            return Ok(tokens);
        }
        options.after = Some(next);
    }
}

/// Sorts by name, then cuts.
fn first_by_name(mut tokens: Vec<TokenInfo>, limit: Option<u32>) -> Vec<TokenInfo> {
    tokens.sort_by(|a, b| (&a.name, &a.owner).cmp(&(&b.name, &b.owner)));
    if let Some(limit) = limit {
        tokens.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    tokens
}

fn table(tokens: &[TokenInfo]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("VERSION", Align::Right),
        ("SIZE", Align::Right),
        ("CLASS", Align::Left),
        ("UPDATED", Align::Left),
        ("EXPIRES", Align::Left),
        ("ATTRIBUTES", Align::Left),
    ]);
    for token in tokens {
        let attributes: Vec<String> =
            token.attributes.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
        table.row([
            escape(&token.name),
            token.version.to_string(),
            bytes(token.size),
            escape(&token.class),
            minute(token.updated),
            minute_or_never(token.expires),
            attributes.join(" "),
        ]);
    }
    table
}

/// Those of others, who may have given them the same names.
fn table_of_shared(tokens: &[TokenInfo]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("OWNER", Align::Left),
        ("PERMISSION", Align::Left),
        ("SIZE", Align::Right),
        ("UPDATED", Align::Left),
        ("EXPIRES", Align::Left),
        ("NOTE", Align::Left),
    ]);
    for token in tokens {
        table.row([
            escape(&token.name),
            escape(&token.owner),
            escape(&token.permission),
            bytes(token.size),
            minute(token.updated),
            minute_or_never(token.expires),
            escape(token.note.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_keeps_the_first_by_name_and_not_the_first_that_came() {
        let named = |name: &str| TokenInfo { name: name.into(), ..TokenInfo::default() };
        let names = |limit| {
            let tokens = first_by_name(["c", "a", "b"].map(named).into(), limit);
            tokens.into_iter().map(|token| token.name).collect::<String>()
        };
        assert_eq!((names(None), names(Some(2)), names(Some(9))), ("abc".into(), "ab".into(), "abc".into()));
    }

    #[test]
    fn a_name_cannot_break_the_table() {
        let token = TokenInfo { name: "a\n\u{1b}[31mb".into(), class: "machine".into(), ..TokenInfo::default() };
        let text = table(&[token]).render(true, false, None);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("a\\n\\u{1b}[31mb"));
        assert!(text.contains("never"));
    }
}
