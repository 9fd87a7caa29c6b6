//! Which of what was issued a command means.

use tokenvault_proto::RevokeAllOptions;

/// What has all that is given; nothing given means everything.
#[derive(clap::Args)]
pub struct FilterArgs {
    /// Only of this kind
    #[arg(long, value_name = "KIND", value_parser = ["token", "code", "offer"])]
    kind: Option<String>,

    /// Only about this subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,

    /// Only for this audience
    #[arg(long, value_name = "TEXT")]
    audience: Option<String>,

    /// Only what is good for this; may be repeated
    #[arg(long = "scope", alias = "scopes", value_name = "WORD")]
    scopes: Vec<String>,
}

impl FilterArgs {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        self.kind.is_none() && self.subject.is_none() && self.audience.is_none() && self.scopes.is_empty()
    }

    /// The options of the call.
    pub fn into_options(self) -> RevokeAllOptions {
        let Self { kind, subject, audience, scopes: words } = self;
        RevokeAllOptions { kind, subject, audience, scopes: scopes(words) }
    }
}

/// The scopes of a call; `None` when there are none.
pub fn scopes(words: Vec<String>) -> Option<Vec<String>> {
    Some(words).filter(|words| !words.is_empty())
}
