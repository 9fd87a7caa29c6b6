//! What people write as options, turned into what the vault takes. Pure; every error says what would be right.

mod attribute;
mod duration;
mod time;

pub use attribute::{Attribute, collect};
pub use duration::duration;
pub use time::{time, time_ahead, time_or_never};
