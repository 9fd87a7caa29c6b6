//! From the domain's types to the wire's dictionaries.

use tokenvault_core::login::LoginState;
use tokenvault_core::token::{TokenInfo, VersionInfo};
use tokenvault_core::vault::SlotView;
use tokenvault_proto as proto;

/// A token, for one who owns it.
pub fn token(info: &TokenInfo) -> proto::TokenInfo {
    proto::TokenInfo {
        name: info.name.clone(),
        owner: format!("uid:{}", info.owner),
        version: info.version,
        size: info.size,
        class: info.class.as_str().to_owned(),
        content_type: info.content_type.clone(),
        attributes: info.attributes.clone(),
        created: info.created.as_usec(),
        updated: info.updated.as_usec(),
        expires: info.expires.map(tokenvault_core::Timestamp::as_usec),
        shared: false,
        permission: "owner".to_owned(),
        require_purpose: info.require_purpose,
    }
}

/// A version.
pub fn version(info: &VersionInfo) -> proto::VersionInfo {
    proto::VersionInfo {
        version: info.version,
        size: info.size,
        created: info.created.as_usec(),
        expires: info.expires.map(tokenvault_core::Timestamp::as_usec),
        current: info.current,
    }
}

/// A user's login.
pub fn login(state: LoginState) -> proto::LoginState {
    let LoginState { enrolled, unlocked, stale, salt, params } = state;
    proto::LoginState { enrolled, unlocked, stale, salt, params }
}

/// A slot.
pub fn slot(view: SlotView) -> proto::SlotInfo {
    let (salt, params) = view.passphrase.unzip();
    proto::SlotInfo { id: view.id, kind: view.kind, created: view.created.as_usec(), salt, params }
}
