//! `org.tokenvault1.Issuer`: tokens the vault issues for others to have checked.

use std::sync::Arc;

use tokenvault_core::Error;
use tokenvault_core::issued::{Checked, Counted, IssuedInfo, ValidateRequest};
use tokenvault_proto::{
    self as proto, Claims, IssueOptions, IssuedOptions, NoOptions, RevokeAllOptions, ValidateOptions,
};
use zbus::interface;
use zbus::message::Header;

use super::call::Call;
use super::desk::in_turn;
use super::{Desk, Options, Refusal, decode, decode_issued, encode, shared};
use crate::caller::Kind;

/// The interface.
pub struct Issuer(pub Desk);

/// Tokens and codes the vault issues, and says of whether they are valid. They are revocable at once, and of their secrets only
/// a keyed hash is kept; every method takes an option dictionary last.
#[interface(name = "org.tokenvault1.Issuer")]
impl Issuer {
    /// Issues a token, or a code of digits; answers its text, which is kept nowhere, its id and when it expires.
    ///
    /// Options: `kind` s: `token` (default), `code`; of a code `length` u: digits (6), and `attempts` u: how many wrong ones may
    /// be tried before it is dead (5). `subject` s: about whom or what it says something. `audience` s: for whom it is; who is
    /// named by `user:NAME` or `group:NAME` may have it validated. `scopes` as: what it is good for. `ttl` t: microseconds until
    /// it expires (an hour). `uses` u: how often it may be used; without, as often as somebody looks. `claims` a{ss}: what else
    /// it says.
    ///
    /// Errors: InvalidArgs, AccessDenied, LimitsExceeded.
    #[zbus(out_args("token", "id", "expires"))]
    async fn issue(
        &self,
        #[zbus(header)] header: Header<'_>,
        options: Options,
    ) -> Result<(String, String, u64), Refusal> {
        self.0
            .serve(&header, Kind::Write, |call| async move {
                let service = &self.0.service;
                let options = decode::options::<IssueOptions>(options)?;
                service.vault.check_open()?;
                let request = decode_issued::issue(service, call.caller.uid, options).await?;
                let issued = self.0.committed(|reply| service.vault.issue(&call.caller, request, reply)).await?;
                Ok((issued.token.to_string(), issued.id.to_string(), issued.expires.as_usec()))
            })
            .await
    }

    /// Says whether a token is valid, and if it is, what it says: `id` s, `kind` s, `subject` s, `audience` s, `scopes` as,
    /// `claims` a{ss}, `issued` t, `expires` t, `issuer` s (`uid:N`), `uses-left` u, `attempts-left` u. Its issuer may ask, its
    /// audience, and root. For everyone else, and for what is malformed, unknown, expired, revoked or used up: false, and nothing
    /// more.
    ///
    /// Options: `id` s: of a code, which is nothing without it. `audience` s and `scopes` as: what it must be for, and all that it
    /// must be good for. `consume` b: takes one of its uses; of many who want the last one, one gets it. What was issued without
    /// `uses` is used up at once.
    #[zbus(out_args("valid", "claims"))]
    async fn validate(
        &self,
        #[zbus(header)] header: Header<'_>,
        token: &str,
        options: Options,
    ) -> Result<(bool, Claims), Refusal> {
        self.0
            .serve(&header, Kind::Read, |mut call| async move {
                let options = decode::options::<ValidateOptions>(options)?;
                let request = decode_issued::validate(token, options)?;
                // It may be for a group; of a caller whose groups nobody knows it is then not valid.
                let _known = shared::know_groups(&self.0, &mut call).await;
                let uid = call.caller.uid;
                let valid = self.check(call, request).await?;
                if let Some(info) = &valid {
                    self.0.count_reply(uid, info.reply_bytes())?;
                }
                Ok((valid.is_some(), Claims(valid.as_ref().map(encode::issued))))
            })
            .await
    }

    /// Revokes what the caller has issued: from then on it is not valid. Also an offer, which is named by how its code begins.
    /// Errors: NotFound for what is unknown, another's, or has ended.
    async fn revoke(&self, #[zbus(header)] header: Header<'_>, id: &str, options: Options) -> Result<(), Refusal> {
        self.0
            .serve(&header, Kind::Write, |call| async move {
                decode::options::<NoOptions>(options)?;
                self.0.committed(|reply| self.0.service.vault.revoke(&call.caller, id, reply)).await
            })
            .await
    }

    /// Revokes all of what the caller has issued and a filter means, and answers how many that were; without a filter, all.
    ///
    /// Filter: `kind` s: `token`, `code`, `offer`. `subject` s. `audience` s. `scopes` as: those that are good for all of them.
    #[zbus(out_args("count"))]
    async fn revoke_all(&self, #[zbus(header)] header: Header<'_>, filter: Options) -> Result<u64, Refusal> {
        self.0
            .serve(&header, Kind::Write, |call| async move {
                let service = &self.0.service;
                let filter = decode_issued::filter(decode::options::<RevokeAllOptions>(filter)?)?;
                let (vault, uid) = (Arc::clone(&service.vault), call.caller.uid);
                let revoked = in_turn(service, uid, move || vault.revoke_all(&call.caller, &filter));
                self.0.within_time("not all of it was revoked", "that goes on; look at 'Issued'", revoked).await
            })
            .await
    }

    /// Lists what the caller has issued and is still good, by the days it expires on, a page at a time. The rows have the keys that
    /// Validate tells. Offers are among them; `subject` is the name of their token.
    ///
    /// Filter: that of RevokeAll, and `limit` u: most rows of the page (100, at most 1000); it has fewer where these would be
    /// over 256 KiB, and where few of 2048 are meant: also none. `after` s: `next` of the page before; an empty `next` is the end.
    #[zbus(out_args("issued", "next"))]
    async fn issued(
        &self,
        #[zbus(header)] header: Header<'_>,
        filter: Options,
    ) -> Result<(Vec<proto::IssuedInfo>, String), Refusal> {
        self.0
            .serve(&header, Kind::Read, |call| async move {
                let service = &self.0.service;
                let request = decode_issued::issued(decode::options::<IssuedOptions>(filter)?)?;
                let (vault, uid) = (Arc::clone(&service.vault), call.caller.uid);
                let listed = in_turn(service, uid, move || vault.list_issued(&call.caller, &request));
                let next = "retry with fewer lists at a time, or a smaller limit";
                let page = self.0.within_time("the list was not complete", next, listed).await?;
                self.0.count_reply(uid, page.reply_bytes())?;
                Ok((page.issued.iter().map(encode::issued).collect(), page.next))
            })
            .await
    }
}

impl Issuer {
    /// What something says, if it is valid. A write is paid for when there is to be one, and given back when there was none.
    async fn check(&self, call: Call, request: ValidateRequest) -> Result<Option<IssuedInfo>, Error> {
        let (service, caller) = (&self.0.service, &call.caller);
        let mut group = None;
        let mut checked = service.vault.validate(caller, &request, None)?;
        if let Checked::AskGroup(name) = checked {
            group = Some(decode_issued::group_now(service, caller.uid, name).await?);
            checked = service.vault.validate(caller, &request, group.as_ref())?;
        }
        match checked {
            Checked::Valid(token, receipt) => {
                if let Some(receipt) = receipt {
                    self.0.committed(|reply| service.vault.settle(*receipt, reply)).await?;
                }
                Ok(Some(token.info().clone()))
            }
            // A group that is asked for twice has another name by now.
            Checked::Invalid | Checked::AskGroup(_) => Ok(None),
            Checked::ToCount => {
                service.limiter.pay(caller.uid, Kind::Write)?;
                let counted =
                    self.0.committed(|reply| service.vault.validate_counted(caller, request, group, reply)).await;
                if let Ok(Counted { written: false, .. }) = &counted {
                    service.limiter.refund_write(caller.uid);
                }
                Ok(counted?.valid)
            }
        }
    }
}
