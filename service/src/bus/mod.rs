//! The D-Bus room: decode, call, encode. No policy, no crypto, no SQL.
//!
//! The same object with the same interfaces is served at both doors; what differs is only how a [`desk::Desk`] learns who is
//! calling.

mod admin;
mod answer;
mod attachments;
mod audit;
mod backup;
mod call;
mod decode;
mod decode_issued;
mod decode_share;
mod desk;
mod dispatch;
pub mod encode;
mod expiring;
mod fetches;
mod get_hot;
mod hot;
mod issuer;
mod login;
mod manager;
mod offers;
mod options;
mod refusal;
pub mod rotate;
mod shared;
mod shares;
mod slots;
mod subscriptions;
mod tokens;
mod toll;
mod trace;
mod users;
mod validate_hot;
mod verify;

use std::sync::Arc;

use tokenvault_proto::OBJECT_PATH;
use zbus::connection::Builder;
use zbus::names::InterfaceName;
use zbus::object_server::Interface;

pub use answer::hands_out;
pub use desk::{Desk, Front, blocking};
pub use hot::HotCalls;
pub use refusal::Refusal;
pub use toll::{is_counted_on_the_bus, is_served};

use dispatch::Begun;
use options::Options;

use crate::service::Service;

/// An interface of the object.
struct Served {
    name: fn() -> InterfaceName<'static>,
    serve: fn(Builder<'static>, Desk) -> Builder<'static>,
}

/// All that is served. What is called on them is counted at the desk.
const SERVED: [Served; 5] = [
    Served { name: manager::Manager::name, serve: |builder, desk| at_desk(builder, &desk, manager::Manager) },
    Served { name: tokens::Tokens::name, serve: |builder, desk| at_desk(builder, &desk, tokens::Tokens) },
    Served { name: issuer::Issuer::name, serve: |builder, desk| at_desk(builder, &desk, issuer::Issuer) },
    Served { name: login::Login::name, serve: |builder, desk| at_desk(builder, &desk, login::Login) },
    Served { name: admin::Admin::name, serve: |builder, desk| at_desk(builder, &desk, admin::Admin) },
];

/// Serves the object on a connection that is being made.
pub fn serve(builder: Builder<'static>, service: &Arc<Service>, front: Front) -> Builder<'static> {
    let desk = Desk::new(Arc::clone(service), front);
    SERVED.iter().fold(builder, |builder, served| (served.serve)(builder, desk.clone()))
}

fn at_desk<I: Interface>(builder: Builder<'static>, desk: &Desk, interface: fn(Desk) -> I) -> Builder<'static> {
    builder.serve_at(OBJECT_PATH, Begun::new(interface(desk.clone()), desk.clone()))
}
