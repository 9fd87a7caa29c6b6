//! What the interface `Issuer` answers with.

use std::collections::BTreeMap;

use crate::dictionary::results;

results! {
    /// Something that was issued: an `Issued` row, and what `Validate` tells of what is valid.
    IssuedInfo {
        /// Its id; of an offer, how its code begins.
        id: String = "id",
        /// `token`, `code`, `offer`.
        kind: String = "kind",
        /// About whom or what it says something; of an offer, the name of its token.
        subject: String = "subject",
        /// For whom it is.
        audience: String = "audience",
        /// What it is good for.
        scopes: Vec<String> = "scopes",
        /// What else it says.
        claims: BTreeMap<String, String> = "claims",
        /// When it was issued, microseconds since the epoch.
        issued: u64 = "issued",
        /// When it expires, microseconds since the epoch.
        expires: u64 = "expires",
        /// Who issued it, `uid:N`.
        issuer: String = "issuer",
        ?
        /// How often it may still be used; absent: without a limit.
        uses_left: u32 = "uses-left",
        /// How many wrong codes may still be tried; absent for a token.
        attempts_left: u32 = "attempts-left",
    }
}
