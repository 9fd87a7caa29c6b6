//! What only libpam and the kernel can do: with the entries, the one place of this crate with unsafe code.
#![allow(unsafe_code)]

mod fork;
mod host;
mod keeper;
mod lease;
mod libpam;
mod log;
mod run;
mod secret;

pub(crate) use host::PamHost;
pub(crate) use lease::Lease;
pub(crate) use libpam::Handle;
pub(crate) use secret::Password;
