//! Which records of the audit log are meant, and fetching them page by page.

use tokenvault_client::Client;
use tokenvault_proto::{AuditInfo, AuditOptions, PAGE_MAX};

use crate::failure::Failure;
use crate::parse;

/// Options of `list` and `export`. All that is given must hold.
#[derive(clap::Args)]
pub struct Filter {
    /// Only about tokens of this owner: user:NAME, uid:N or machine
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,

    /// Only about the token of this name: what was recorded under it, up to the Rename that gave it another
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Only what this user asked for
    #[arg(long, value_name = "UID", value_parser = parse::uid, allow_hyphen_values = true)]
    uid: Option<u32>,

    /// Only calls of this method, such as Get, in capitals or not
    #[arg(long, value_name = "METHOD")]
    operation: Option<String>,

    /// Only what ended so: ok, denied, not-found or failed
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,

    /// Only from this time on, or from this long ago on
    #[arg(long, value_name = "TIME", value_parser = parse::time_ago, allow_hyphen_values = true)]
    since: Option<u64>,

    /// Only before this time, or before this long ago
    #[arg(long, value_name = "TIME", value_parser = parse::time_ago, allow_hyphen_values = true)]
    until: Option<u64>,
}

impl Filter {
    /// The filter of the first page.
    pub fn options(self) -> AuditOptions {
        let Self { owner, name, uid, operation, outcome, since, until } = self;
        AuditOptions { owner, name, uid, operation, outcome, since, until, ..AuditOptions::default() }
    }
}

/// Asks for one page after the other, and hands on each record until `take` has enough. A page without records is not the end:
/// the vault looks at so many of them in a call, and none of these may have been meant.
pub fn fetch(
    client: &Client,
    mut options: AuditOptions,
    mut take: impl FnMut(AuditInfo) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    options.limit.get_or_insert(PAGE_MAX);
    loop {
        let (page, next) = client.audit(&options)?;
        for record in page {
            if !take(record)? {
                return Ok(());
            }
        }
        // A place that leads nowhere else would be asked for again and again.
        if next.is_empty() || options.after.as_ref() == Some(&next) {
            return Ok(());
        }
        options.after = Some(next);
    }
}
