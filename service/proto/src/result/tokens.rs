//! What the interface `Tokens` answers with.

use std::collections::BTreeMap;

use crate::dictionary::results;

results! {
    /// A token without its value: `Get`, `Generate`, `Describe`, a `List` row.
    TokenInfo {
        /// Its name.
        name: String = "name",
        /// Whose it is, `uid:N`.
        owner: String = "owner",
        /// Number of the version described.
        version: u64 = "version",
        /// Bytes of the value.
        size: u64 = "size",
        /// `machine` or `login`.
        class: String = "class",
        /// Media type of the value; empty when none was given.
        content_type: String = "content-type",
        /// Attributes.
        attributes: BTreeMap<String, String> = "attributes",
        /// When the token was first put, microseconds since the epoch.
        created: u64 = "created",
        /// When it was last changed, microseconds since the epoch.
        updated: u64 = "updated",
        /// Whether it is shared with anyone.
        shared: bool = "shared",
        /// What the caller may do: `owner`, `read`, `write`.
        permission: String = "permission",
        /// Whether `Get` must name a purpose.
        require_purpose: bool = "require-purpose",
        ?
        /// When the version expires, microseconds since the epoch; absent: never.
        expires: u64 = "expires",
        /// What its owner says about it to those it is shared with; absent: nothing.
        note: String = "note",
    }
}

results! {
    /// One version of a token.
    VersionInfo {
        /// Its number, from 1.
        version: u64 = "version",
        /// Bytes of the value.
        size: u64 = "size",
        /// When it was put, microseconds since the epoch.
        created: u64 = "created",
        /// Whether `Get` gives this one.
        current: bool = "current",
        ?
        /// When it expires, microseconds since the epoch; absent: never.
        expires: u64 = "expires",
    }
}

results! {
    /// One share of a token.
    ShareInfo {
        /// With whom: `user:NAME`, `group:NAME`, `unit:NAME.service`.
        grantee: String = "grantee",
        /// `read` or `write`.
        permission: String = "permission",
        /// When it was granted, microseconds since the epoch.
        created: u64 = "created",
        ?
        /// When it ends, microseconds since the epoch; absent: never.
        expires: u64 = "expires",
        /// How often it may still be used; absent: without a limit.
        uses_left: u32 = "uses-left",
        /// A few words for the grantee; absent: none.
        note: String = "note",
    }
}

results! {
    /// An offer that was made.
    OfferInfo {
        /// Names it: how its code begins.
        id: String = "id",
        /// When it ends, microseconds since the epoch.
        expires: u64 = "expires",
        /// How many wrong codes may be tried.
        attempts_left: u32 = "attempts-left",
        ?
    }
}
