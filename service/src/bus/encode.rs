//! From the domain's types to the wire's dictionaries.

use tokenvault_core::login::LoginState;
use tokenvault_core::token::{CleanupReport, CredentialGrant, CredentialRefusal, ShareInfo, TokenInfo, VersionInfo};
use tokenvault_core::user::UserView;
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
        shared: info.shared,
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

/// A share.
pub fn share(info: &ShareInfo) -> proto::ShareInfo {
    proto::ShareInfo {
        grantee: info.grantee.to_string(),
        permission: info.permission.as_str().to_owned(),
        created: info.created.as_usec(),
        expires: info.expires.map(tokenvault_core::Timestamp::as_usec),
        uses_left: info.uses_left,
    }
}

/// What a unit would be given.
pub fn credential_test(
    unit: &str,
    id: &str,
    outcome: Result<CredentialGrant, CredentialRefusal>,
) -> proto::CredentialTest {
    let mut test =
        proto::CredentialTest { unit: unit.to_owned(), id: id.to_owned(), ..proto::CredentialTest::default() };
    match outcome {
        Ok(grant) => {
            test.granted = true;
            test.version = Some(grant.version);
            test.size = Some(grant.size);
            test.expires = grant.expires.map(tokenvault_core::Timestamp::as_usec);
            test.uses_left = grant.uses_left;
        }
        Err(refusal) => {
            test.cause = refusal.to_string();
            test.next_step = refusal.next_step(unit, id);
        }
    }
    test
}

/// A user's login.
pub fn login(state: LoginState) -> proto::LoginState {
    let LoginState { enrolled, unlocked, stale, salt, params } = state;
    proto::LoginState { enrolled, unlocked, stale, salt, params }
}

/// What was deleted because it had expired.
pub fn cleanup(report: CleanupReport, dry_run: bool) -> proto::CleanupInfo {
    let CleanupReport { tokens, versions, shares, held_back, damaged } = report;
    proto::CleanupInfo { tokens, versions, shares, offers: 0, issued: 0, dry_run, held_back, damaged }
}

/// A user.
pub fn user(view: UserView, is_frozen: bool) -> proto::UserInfo {
    proto::UserInfo {
        uid: view.uid,
        user: view.user,
        role: view.role.as_str().to_owned(),
        active: view.active,
        state: if is_frozen { proto::USER_FROZEN } else { proto::USER_OK }.to_owned(),
        tokens: view.tokens,
        bytes: view.bytes,
        quota_tokens: view.quota_tokens,
        quota_bytes: view.quota_bytes,
        last_seen: view.last_seen.map(tokenvault_core::Timestamp::as_usec),
    }
}

/// A slot.
pub fn slot(view: SlotView) -> proto::SlotInfo {
    let (salt, params) = view.passphrase.unzip();
    proto::SlotInfo { id: view.id, kind: view.kind, created: view.created.as_usec(), salt, params }
}
