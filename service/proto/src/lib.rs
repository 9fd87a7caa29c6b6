//! The contract between the vault and everyone who talks to it: names, option keys, results, errors.
//!
//! Data only: no I/O, no runtime, no policy. The daemon and every client are written against this crate, so that a key or
//! an error is spelled in one place. The prose of the contract is in `org.tokenvault1(5)`.
#![forbid(unsafe_code)]

mod address;
mod audit;
mod claims;
mod dictionary;
mod error;
mod expiring;
mod findings;
pub mod memory;
mod option;
mod place;
mod result;
mod taken;
mod variant;
mod written_key;

pub use address::{Address, AddressError};
pub use audit::{AUDIT_DAMAGED, AuditInfo, AuditOptions, FetchInfo, FetchesOptions, OperationInfo, VerifyAuditOptions};
pub use claims::Claims;
pub use dictionary::{Dictionary, FieldType, OptionError, Plain, ZERO_BYTE};
pub use error::{ErrorCode, ErrorEntry};
pub use expiring::{ExpiringInfo, ExpiringOptions};
pub use findings::{Finding, Findings};
pub use option::{
    AddSlotOptions, AdoptUserOptions, AnnotateOptions, CleanupOptions, DeleteOptions, DescribeOptions, GenerateOptions,
    GetOptions, IssueOptions, IssuedOptions, ListOptions, NoOptions, OfferOptions, PutOptions, RedeemOptions,
    RemoveSlotOptions, RestoreOptions, RevokeAllOptions, RotateOptions, SetUserOptions, ShareOptions, UnsealOptions,
    ValidateOptions,
};
pub use place::{DEFAULTS_FILE, DELETED_DIR, LIBEXEC_DIR, is_note_id};
pub use result::{
    CleanupInfo, CredentialTest, DeletionInfo, Health, IssuedInfo, LoginState, OfferInfo, ShareInfo, SlotInfo, Status,
    TokenInfo, UserInfo, VersionInfo, WhoAmI,
};
pub use taken::{Rows, Take, Taken, TakenSecret};
pub use written_key::{WrittenKeyError, read_key, write_key, written_len};

/// Well-known bus name.
pub const BUS_NAME: &str = "org.tokenvault1";
/// The one object, at both doors.
pub const OBJECT_PATH: &str = "/org/tokenvault1";
/// Unlocking a user's login class; root, or the user.
pub const LOGIN_INTERFACE: &str = "org.tokenvault1.Login";
/// State, identity, health; any local caller.
pub const MANAGER_INTERFACE: &str = "org.tokenvault1.Manager";
/// The caller's tokens.
pub const TOKENS_INTERFACE: &str = "org.tokenvault1.Tokens";
/// Tokens the vault issues and validates.
pub const ISSUER_INTERFACE: &str = "org.tokenvault1.Issuer";
/// Slots, sealing, configuration; root.
pub const ADMIN_INTERFACE: &str = "org.tokenvault1.Admin";
/// Prefix of every error name of the vault.
pub const ERROR_PREFIX: &str = "org.tokenvault1.Error.";
/// The private door of an installed vault.
pub const DEFAULT_SOCKET: &str = "/run/tokenvault/bus";
/// Where the service manager fetches the credentials of units from an installed vault.
pub const CREDENTIALS_SOCKET: &str = "/run/tokenvault/credentials";
/// Environment variable that points clients at another vault; ignored in a setuid program.
pub const ADDRESS_VARIABLE: &str = "TOKENVAULT_ADDRESS";

/// Longest token name, bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest content type, bytes of UTF-8.
pub const CONTENT_TYPE_BYTES_MAX: usize = 127;
/// Most attributes of one token.
pub const ATTRIBUTES_MAX: usize = 32;
/// Longest attribute key, bytes of UTF-8.
pub const ATTRIBUTE_KEY_BYTES_MAX: usize = 64;
/// Longest attribute value, bytes of UTF-8.
pub const ATTRIBUTE_VALUE_BYTES_MAX: usize = 1024;
/// Longest `purpose` and `app`, bytes of UTF-8.
pub const HINT_BYTES_MAX: usize = 255;
/// Most versions of one token that `keep-versions` can ask for.
pub const KEEP_VERSIONS_MAX: u32 = 1000;
/// `keep-versions` when nothing is said.
pub const KEEP_VERSIONS_DEFAULT: u32 = 10;
/// Rows of a page when `limit` is not given.
pub const PAGE_DEFAULT: u32 = 100;
/// Most rows of a page.
pub const PAGE_MAX: u32 = 1000;
/// `Generate`'s `length` when nothing is said, characters.
pub const GENERATE_LENGTH_DEFAULT: u32 = 32;
/// Most that `length` can ask for, characters.
pub const GENERATE_LENGTH_MAX: u32 = 4096;
/// What `TokenChanged` says when something was not told, with no owner and no name: the subscription has ended.
pub const CHANGE_LOST: &str = "lost";
/// Most signals under way to one subscriber: `Subscribe` says that those so far were read.
pub const SIGNALS_MAX: usize = 128;
/// State of a user whose tokens are given to nobody.
pub const USER_FROZEN: &str = "frozen";
/// State of every other user.
pub const USER_OK: &str = "ok";
/// What `Health` says of a clock while nobody has said that it is right.
pub const CLOCK_UNCONFIRMED: &str = "unconfirmed";
/// What it says to root of one that may be right, while something that has expired stays because nobody has said so.
pub const CLOCK_HOLDS_BACK: &str = "unconfirmed, and what has expired stays";
/// The quota of a user who is to have the one that is configured for everybody.
pub const QUOTA_AS_CONFIGURED: u64 = u64::MAX;
/// The role of a user who is to have the one that the configuration gives.
pub const ROLE_AS_CONFIGURED: &str = "default";
/// `Issue`'s `ttl` when nothing is said, microseconds: an hour.
pub const ISSUE_TTL_DEFAULT: u64 = 3_600_000_000;
/// `Issue`'s `length` of a code when nothing is said, digits.
pub const CODE_LENGTH_DEFAULT: u32 = 6;
/// Fewest and most that `length` of a code can ask for, digits.
pub const CODE_LENGTHS: std::ops::RangeInclusive<u32> = 4..=32;
/// `attempts` of a code or an offer when nothing is said.
pub const ATTEMPTS_DEFAULT: u32 = 5;
/// Most that `attempts` can ask for.
pub const ATTEMPTS_MAX: u32 = 100;
/// `Offer`'s `ttl` when nothing is said, microseconds: a quarter of an hour.
pub const OFFER_TTL_DEFAULT: u64 = 900_000_000;
/// Most scopes of an issued token.
pub const SCOPES_MAX: usize = 32;
/// Longest scope, bytes.
pub const SCOPE_BYTES_MAX: usize = 128;
/// Length of a key derived from a login password.
pub const LOGIN_KEY_BYTES: usize = 32;
/// Length of a user's recovery code before it is written down.
pub const RECOVERY_CODE_BYTES: usize = 20;
/// Length of every slot secret handed over: a derived key, an X25519 public or private key.
pub const SLOT_SECRET_BYTES: usize = 32;
