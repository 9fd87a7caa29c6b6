//! From the domain's types to the wire's dictionaries.

use tokenvault_core::audit::{AuditEntry, AuditRecord};
use tokenvault_core::issued::IssuedInfo;
use tokenvault_core::login::LoginState;
use tokenvault_core::policy::Role;
use tokenvault_core::role_rules::RoleFrom;
use tokenvault_core::token::{
    CleanupReport, CredentialGrant, CredentialRefusal, Offered, ShareInfo, TokenInfo, VersionInfo,
};
use tokenvault_core::user::{Deletion, UserView};
use tokenvault_core::vault::SlotView;
use tokenvault_proto as proto;

use crate::operation::{State, View};

/// A token, for its owner or for somebody with whom it is shared.
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
        permission: info.grant.as_ref().map_or("owner", |grant| grant.permission.as_str()).to_owned(),
        require_purpose: info.require_purpose,
        note: info.grant.as_ref().and_then(|grant| note(&grant.note)),
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
        note: note(&info.note),
    }
}

fn note(note: &str) -> Option<String> {
    (!note.is_empty()).then(|| note.to_owned())
}

/// Something that was issued.
pub fn issued(info: &IssuedInfo) -> proto::IssuedInfo {
    proto::IssuedInfo {
        id: info.id.clone(),
        kind: info.kind.as_str().to_owned(),
        subject: info.subject.clone(),
        audience: info.audience.clone(),
        scopes: info.scopes.clone(),
        claims: info.claims.clone(),
        issued: info.issued.as_usec(),
        expires: info.expires.as_usec(),
        issuer: format!("uid:{}", info.issuer),
        uses_left: info.uses_left,
        attempts_left: info.attempts_left,
    }
}

/// An offer that was made.
pub fn offer(offered: &Offered) -> proto::OfferInfo {
    proto::OfferInfo { id: offered.id.clone(), expires: offered.expires.as_usec(), attempts_left: offered.attempts }
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

/// A record of the audit log.
pub fn audit(entry: AuditEntry) -> proto::AuditInfo {
    let AuditEntry { seq, record } = entry;
    let Some(record) = record else {
        return proto::AuditInfo { seq, outcome: proto::AUDIT_DAMAGED.to_owned(), ..proto::AuditInfo::default() };
    };
    proto::AuditInfo {
        seq,
        time: record.time.as_usec(),
        uid: record.uid,
        owner: record.owner.map(|uid| format!("uid:{uid}")).unwrap_or_default(),
        version: record.version,
        outcome: record.outcome.as_str().to_owned(),
        count: record.count,
        door: record.door().to_owned(),
        pid: record.pid.unwrap_or_default(),
        exe: String::new(),
        operation: record.operation,
        name: record.name,
        app: record.app,
        purpose: record.purpose,
        unit: record.unit.unwrap_or_default(),
        renamed_to: record.renamed_to,
        grantee: record.grantee,
    }
}

/// A fetch, without the name of the user.
pub fn fetch(record: AuditRecord) -> proto::FetchInfo {
    proto::FetchInfo {
        time: record.time.as_usec(),
        uid: record.uid,
        user: String::new(),
        version: record.version,
        count: record.count,
        door: record.door().to_owned(),
        app: record.app,
        purpose: record.purpose,
        unit: record.unit.unwrap_or_default(),
        operation: record.operation,
    }
}

/// An operation.
pub fn operation(view: View) -> proto::OperationInfo {
    let View { id, operation, steps: (done, total), outcome } = view;
    let info = proto::OperationInfo { id, operation: operation.to_owned(), done, total, ..Default::default() };
    let Some(outcome) = outcome else {
        return proto::OperationInfo { state: State::Running.as_str().to_owned(), ..info };
    };
    proto::OperationInfo {
        state: outcome.state.as_str().to_owned(),
        error: outcome.refusal.as_ref().map(|refusal| refusal.text().to_owned()).unwrap_or_default(),
        error_name: outcome.refusal.map(|refusal| refusal.error_name().to_owned()),
        result: outcome.findings,
        ..info
    }
}

/// What was deleted because it had expired.
pub fn cleanup(report: CleanupReport, dry_run: bool) -> proto::CleanupInfo {
    let CleanupReport { tokens, versions, shares, offers, issued, held_back, damaged, more } = report;
    proto::CleanupInfo { tokens, versions, shares, offers, issued, dry_run, held_back, damaged, more }
}

/// A user.
pub fn user(view: UserView, is_frozen: bool, (role, role_from): (Role, RoleFrom)) -> proto::UserInfo {
    proto::UserInfo {
        uid: view.uid,
        user: view.user,
        role: role.as_str().to_owned(),
        role_from: role_from.to_string(),
        active: view.active,
        state: if is_frozen { proto::USER_FROZEN } else { proto::USER_OK }.to_owned(),
        tokens: view.tokens,
        bytes: view.bytes,
        quota_tokens: view.quota_tokens,
        quota_bytes: view.quota_bytes,
        last_seen: view.last_seen.map(tokenvault_core::Timestamp::as_usec),
    }
}

/// A note about a user who was deleted.
pub fn deletion(Deletion { note, done }: Deletion) -> proto::DeletionInfo {
    proto::DeletionInfo { id: note.id, user: note.user, time: note.time.as_usec(), done }
}

/// A slot.
pub fn slot(view: SlotView) -> proto::SlotInfo {
    let (salt, params) = view.passphrase.unzip();
    proto::SlotInfo { id: view.id, kind: view.kind, created: view.created.as_usec(), salt, params }
}

#[cfg(test)]
mod tests {
    use tokenvault_core::Timestamp;
    use tokenvault_core::audit::AuditRecord;
    use tokenvault_core::vault::daemon;
    use zbus::wire::serialized::Context;
    use zbus::wire::{Endian, to_bytes};

    use super::*;

    #[test]
    fn a_record_takes_no_more_on_the_wire_than_is_counted_for_it() {
        let long = || "n".repeat(255);
        let short = AuditRecord::new(&daemon(), "Get", Timestamp::from_usec(u64::MAX));
        let full = AuditRecord {
            uid: u32::MAX,
            owner: Some(u32::MAX),
            name: long(),
            app: long(),
            purpose: long(),
            pid: Some(u32::MAX),
            renamed_to: Some(long()),
            grantee: Some(long()),
            unit: Some(long()),
            ..short.clone()
        };
        for record in [None, Some(short), Some(full)] {
            let entry = AuditEntry { seq: u64::MAX, record };
            let counted = entry.reply_bytes();
            let taken = to_bytes(Context::new(Endian::Little, 0), &audit(entry)).unwrap().len();
            assert!(taken <= counted && counted < taken + 300, "{taken} bytes, {counted} counted");
        }
    }
}
