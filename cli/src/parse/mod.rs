//! What people write as options, turned into what the vault takes. Pure; every error says what would be right.

mod attribute;
mod duration;
mod malformed;
mod mark;
mod number;
mod path;
mod time;

pub use attribute::{Attribute, collect};
pub use duration::duration;
pub use malformed::Malformed;
pub use mark::{Mark, mark};
pub use number::{
    attempts, characters, descriptor, digits, expected_version, kept_backups, kept_versions, quota, records, rows,
    slot, uid, uses, version,
};
pub use path::whole_path;
pub use time::{time_ago, time_ahead, time_now, time_or_never};
