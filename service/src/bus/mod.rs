//! The D-Bus room: decode, call, encode. No policy, no crypto, no SQL.
//!
//! The same object with the same interfaces is served at both doors; what differs is only how a [`desk::Desk`] learns who is
//! calling.

mod admin;
mod decode;
mod desk;
mod dispatch;
mod encode;
mod get_hot;
mod manager;
mod options;
mod refusal;
mod tokens;

use std::sync::Arc;

use tokenvault_proto::OBJECT_PATH;
use zbus::connection::Builder;

pub use desk::{Desk, Front, blocking};
pub use get_hot::GetHot;
pub use refusal::Refusal;

use dispatch::Begun;
use options::Options;

use crate::service::Service;

/// Serves the object on a connection that is being made.
pub fn serve<'a>(builder: Builder<'a>, service: &Arc<Service>, front: Front) -> Builder<'a> {
    let desk = Desk::new(Arc::clone(service), front);
    builder
        .serve_at(OBJECT_PATH, Begun::new(manager::Manager(desk.clone())))
        .serve_at(OBJECT_PATH, Begun::new(tokens::Tokens(desk.clone())))
        .serve_at(OBJECT_PATH, Begun::new(admin::Admin(desk)))
}
