//! The options that `put` and `generate` have in common: how a new version is written.

use std::collections::BTreeMap;

use tokenvault_proto::PutOptions;

use crate::failure::Failure;
use crate::parse::{self, Attribute};

/// How a new version is written.
#[derive(clap::Args)]
pub struct WriteArgs {
    /// upsert: make the token or a new version of it; create: only make it; replace: only a new version [default: upsert]
    #[arg(long, value_name = "MODE", value_parser = ["upsert", "create", "replace"])]
    mode: Option<String>,

    /// Write only when the current version is this one; 0: when there is no such token
    #[arg(long, value_name = "N", value_parser = parse::expected_version, allow_hyphen_values = true)]
    expect_version: Option<u64>,

    /// machine: readable while the machine runs; login: only while its owner is logged in [default: machine for a new token]
    #[arg(long, value_name = "CLASS", value_parser = ["machine", "login"])]
    class: Option<String>,

    /// Whose token: user:NAME or uid:N for one that is shared with you for writing, machine for the system's, which root keeps;
    /// by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,

    /// Media type of the value
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    /// An attribute; may be repeated. All attributes of the token are replaced
    #[arg(long = "attribute", alias = "attributes", value_name = "KEY=VALUE")]
    attributes: Vec<Attribute>,

    /// How long the new version lives: 90s, 15m, 12h, 30d, 2w
    #[arg(long, value_name = "DURATION", value_parser = parse::duration, conflicts_with = "expires")]
    #[arg(allow_hyphen_values = true)]
    ttl: Option<u64>,

    /// When the new version expires: 2026-12-31T23:59:00Z, a local date (its first moment), @SECONDS, or a duration from now: 30d
    #[arg(long, value_name = "TIME", value_parser = parse::time_ahead, allow_hyphen_values = true)]
    expires: Option<u64>,

    /// How many versions are kept, the current one included, 1 to 1000: each new one pushes out the oldest over it, also one of
    /// somebody it is shared with for writing [default: 10 for a new token]
    #[arg(long, value_name = "COUNT", value_parser = parse::kept_versions, allow_hyphen_values = true)]
    keep_versions: Option<u32>,

    /// Whether readers must name a purpose
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    require_purpose: Option<bool>,
}

impl WriteArgs {
    /// The options of the call.
    pub fn into_options(self) -> Result<PutOptions, Failure> {
        let attributes: Option<BTreeMap<String, String>> = parse::collect(self.attributes)?;
        Ok(PutOptions {
            mode: self.mode,
            expect_version: self.expect_version,
            class: self.class,
            owner: self.owner,
            content_type: self.content_type,
            attributes,
            ttl: self.ttl,
            expires: self.expires,
            keep_versions: self.keep_versions,
            require_purpose: self.require_purpose,
            size: None,
        })
    }
}
