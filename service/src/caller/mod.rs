//! Who asks: from what the kernel or the bus vouches for, to the [`Caller`](tokenvault_core::Caller) value the domain takes.

mod bus;
mod cache;
mod identity;
mod limit;
mod local;
mod pace;
mod place;
mod polkit;
mod turns;
mod users;

pub use bus::BusCallers;
pub use identity::Identity;
pub use limit::{InFlight, Kind, Limiter};
pub use pace::Pace;
pub use place::{is_chrooted, is_contained};
pub use turns::{Turn, Turns};
pub use users::{UserError, Users};
