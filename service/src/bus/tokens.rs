//! `org.tokenvault1.Tokens`: the caller's tokens.

use std::sync::Arc;

use tokenvault_core::Error;
use tokenvault_core::name::TokenName;
use tokenvault_core::policy::Action;
use tokenvault_core::token::{NamedRequest, PutRequest, VersionInfo};
use tokenvault_proto::{
    self as proto, AnnotateOptions, DeleteOptions, DescribeOptions, GenerateOptions, GetOptions, ListOptions,
    PutOptions,
};
use zbus::message::Header;
use zbus::{OwnedFd, interface};

use super::call::Call;
use super::desk::in_turn;
use super::{Desk, Options, Refusal, attachments, decode, encode, fetches, offers, shared, shares};
use crate::caller::Kind;
use crate::service::Service;
use crate::value::Received;

/// The interface.
pub struct Tokens(pub Desk);

/// Storing, fetching and managing tokens. Values travel by pipe only; every method takes an option dictionary last.
#[interface(name = "org.tokenvault1.Tokens")]
impl Tokens {
    /// Stores the value that is read from the pipe, or from a memfd sealed against writing and shrinking, as a new version.
    /// Answers its number once it is durable. A value of more than 64 KiB, up to 16 MiB, is taken in as it comes: its writer has
    /// to make progress, and the version is there when all of it is. Of one user two such values come in at a time, others wait.
    ///
    /// Options: `mode` s: `upsert` (default), `create`, `replace`. `expect-version` t: write only when this is the current
    /// version, 0: when there is none. `class` s: `machine` (default), `login`. `owner` s: `machine`, or as in Get.
    /// `content-type` s. `attributes` a{ss}. `ttl` t: microseconds until the version expires, or `expires` t: when.
    /// `keep-versions` u: how many are kept (10). `require-purpose` b: whether readers must name one. `size` t: bytes of the
    /// value; one of another length is refused, as when its writer was killed. What is not given stays as it is on a live
    /// token; an expiry belongs to the value and does not stay.
    ///
    /// To a token that is shared with the caller with permission `write` a version is added, which counts against its owner's
    /// quota and is a use of the share. It expires when the version before it would have; what is known of the token is its
    /// owner's to say, and so are all options but `mode`, `expect-version`, `content-type` and `size`.
    ///
    /// Errors: InvalidArgs, Exists, Conflict, NotFound (`replace`), AccessDenied, Locked, LimitsExceeded, Timeout, Unavailable.
    #[zbus(out_args("version"))]
    async fn put(
        &self,
        #[zbus(header)] header: Header<'_>,
        name: &str,
        value: OwnedFd,
        options: Options,
    ) -> Result<u64, Refusal> {
        self.0
            .serve(&header, Kind::Write, |mut call| async move {
                let service = &self.0.service;
                let name = TokenName::parse(name)?;
                let options = decode::options::<PutOptions>(options)?;
                let size = options.size;
                let mut options = decode::put_options(service, call.caller.uid, options).await?;
                service.vault.check_open()?;
                options.groups = shared::groups_to_put(&self.0, &mut call, options.owner, &name).await?;
                let (received, portion) = decode::value(service, call.caller.uid, value).await?;
                let value = match received {
                    Received::Whole(value) => value,
                    Received::Long(value) => {
                        let put = attachments::Put { name, options, size, value, beginning: portion };
                        return attachments::put(&self.0, call, put).await;
                    }
                };
                decode::check_size(size, value.len() as u64)?;
                let request = PutRequest { name, options, value };
                let stored = self.0.committed(|reply| {
                    // The value takes memory until the writer is through with it, also when nobody waits for the answer.
                    let reply = Box::new(move |result| {
                        drop(portion);
                        reply(result);
                    });
                    service.vault.put(&call.caller, request, reply);
                });
                Ok(stored.await?.version)
            })
            .await
    }

    /// Makes a random value, stores it as a new version, and hands it out through a pipe.
    ///
    /// Options: those of Put, and `length` u: characters of the random part (32). `charset` s: `base62` (default), `hex`,
    /// `base64url`, `digits`, `ascii`. `prefix` s: put before the random part.
    #[zbus(out_args("value", "token"))]
    async fn generate(
        &self,
        #[zbus(header)] header: Header<'_>,
        name: &str,
        options: Options,
    ) -> Result<(OwnedFd, proto::TokenInfo), Refusal> {
        self.0
            .serve(&header, Kind::Write, |mut call| async move {
                let service = &self.0.service;
                let name = TokenName::parse(name)?;
                let options = decode::options::<GenerateOptions>(options)?;
                let recipe = decode::recipe(&options)?;
                let mut options = decode::put_options(service, call.caller.uid, options.put()).await?;
                service.vault.check_open()?;
                options.groups = shared::groups_to_put(&self.0, &mut call, options.owner, &name).await?;
                let uid = call.caller.uid;
                let place = self.0.bus_place(&call).await?;
                let value = Arc::new(recipe.generate(service.vault.memory()).map_err(Error::from)?);
                // The pipe comes first: a version that was stored but cannot be handed out would be of no use. Its reader's
                // time begins when it is.
                let room = service.pipes.reserve(uid, value.len(), place).map_err(Error::from)?;
                let filled = room.fill(&value).map_err(Error::from)?;
                let portion = service.pipes.portion_for(uid, value.len())?;
                let stored = self.0.committed(|reply| {
                    // The value takes memory until the writer is through with it, also when nobody waits for the answer.
                    let reply = Box::new(move |result| {
                        drop(portion);
                        reply(result);
                    });
                    service.vault.put_generated(&call.caller, name, options, value, reply);
                });
                let info = stored.await?;
                let fd = filled.hand_out();
                Ok((fd.into(), encode::token(&info)))
            })
            .await
    }

    /// Hands out a value through a pipe, and what is known of it. A reader that gets fewer bytes than `size` was too slow: the
    /// pipe was withdrawn, and what it read is not the value. So it is with a value of more than 64 KiB whose token is deleted
    /// while it is read, whose owner or reader is disabled or, with class `login`, logs out, or that is found to be damaged.
    ///
    /// Options: `owner` s: `user:NAME`, `uid:NUMBER`, `machine`; default the caller's own. `version` t: this one instead of the
    /// current, for the owner. `purpose` s and `app` s: written to the audit log.
    ///
    /// Another's token is handed out where it is shared with the caller, or with a group the caller is a member of; that is a use
    /// of the share, where they are counted: of many who want the last one, one gets it. Described with it are `permission` s,
    /// `read` or `write`, and `note` s, which the owner gave with the share.
    ///
    /// What is shared is looked for by at most 1024 groups of a process: whoever has more is refused every call about tokens of
    /// others with LimitsExceeded, limit `groups`. An owner `user:NAME` is the user who has that name now, and not somebody whose
    /// tokens were stored under the same uid and another name.
    ///
    /// Errors: NotFound for what is missing, expired, or another's; AccessDenied when a purpose is required; Locked.
    #[zbus(out_args("value", "token"))]
    async fn get(
        &self,
        #[zbus(header)] header: Header<'_>,
        name: &str,
        options: Options,
    ) -> Result<(OwnedFd, proto::TokenInfo), Refusal> {
        self.0
            .serve(&header, Kind::Read, |call| async move {
                let service = &self.0.service;
                let options = decode::options::<GetOptions>(options)?;
                let request = decode::get(&service.users, call.caller.uid, name, options).await?;
                if shared::is_foreign(&call.caller, request.owner) {
                    return shared::get(&self.0, call, request).await;
                }
                let place = self.0.bus_place(&call).await?;
                let opened = service.vault.get(&call.caller, &request, |size| {
                    let len = usize::try_from(size).unwrap_or(usize::MAX);
                    service.pipes.reserve(call.caller.uid, len, place).map_err(Error::from)
                })?;
                if let Some(receipt) = opened.receipt {
                    self.0.committed(|reply| service.vault.settle(receipt, reply)).await?;
                }
                self.0.count_reply(call.caller.uid, opened.info.reply_bytes())?;
                let fd = attachments::send(service, opened.place, opened.value)?;
                Ok((fd.into(), encode::token(&opened.info)))
            })
            .await
    }

    /// Describes a token without its value, also one that is shared with the caller; it is no use of the share. Options: `owner` s.
    #[zbus(out_args("token"))]
    async fn describe(
        &self,
        #[zbus(header)] header: Header<'_>,
        name: &str,
        options: Options,
    ) -> Result<proto::TokenInfo, Refusal> {
        self.0
            .serve(&header, Kind::Read, |call| async move {
                let options = decode::options::<DescribeOptions>(options)?;
                let service = &self.0.service;
                let request = decode::named(service, call.caller.uid, name, options.owner.as_deref()).await?;
                let uid = call.caller.uid;
                let info = if shared::is_foreign(&call.caller, request.owner) {
                    shared::describe(&self.0, call, &request).await?
                } else {
                    service.vault.describe(&call.caller, &request)?
                };
                self.0.count_reply(uid, info.reply_bytes())?;
                Ok(encode::token(&info))
            })
            .await
    }

    /// Lists tokens in the order they were first put, a page at a time. Metadata only.
    ///
    /// Filter: `prefix` s of the name. `attributes` a{ss} that all must be there. `owner` s: of another, what is shared with the
    /// caller. `shared-with-me` b: that of every owner, or of `owner` alone, in the order it was shared. `expires-before` t.
    /// `limit` u: most rows of the page (100, at most 1000); it has fewer where these would be over 256 KiB, and where few of
    /// 2048 tokens are meant: also none. `after` s: `next` of the page before; an empty `next` is the end.
    #[zbus(out_args("tokens", "next"))]
    async fn list(
        &self,
        #[zbus(header)] header: Header<'_>,
        filter: Options,
    ) -> Result<(Vec<proto::TokenInfo>, String), Refusal> {
        self.0
            .serve(&header, Kind::Read, |call| async move {
                let service = &self.0.service;
                let options = decode::options::<ListOptions>(filter)?;
                let (request, whose) = decode::list(service, call.caller.uid, options).await?;
                let (vault, uid) = (Arc::clone(&service.vault), call.caller.uid);
                // A filter may have to open every name the caller has: it blocks, and takes turns.
                let listed = async {
                    if whose != decode::Whose::Named || shared::is_foreign(&call.caller, request.owner) {
                        return shared::list(&self.0, call, request, whose != decode::Whose::OfOthers).await;
                    }
                    in_turn(service, uid, move || vault.list(&call.caller, &request)).await
                };
                let next = "retry with fewer lists at a time, or a smaller limit";
                let page = self.0.within_time("the list was not complete", next, listed).await?;
                self.0.count_reply(uid, page.reply_bytes())?;
                Ok((page.tokens.iter().map(encode::token).collect(), page.next))
            })
            .await
    }

    /// Changes what is known of a token; what is not given stays.
    ///
    /// Options: `attributes` a{ss}: replaces all. `expires` t: of the current version, 0: never. `content-type` s.
    /// `keep-versions` u. `require-purpose` b. `owner` s.
    async fn annotate(&self, #[zbus(header)] header: Header<'_>, name: &str, options: Options) -> Result<(), Refusal> {
        self.0
            .serve(&header, Kind::Write, |mut call| async move {
                let service = &self.0.service;
                let options = decode::options::<AnnotateOptions>(options)?;
                let request = decode::named(service, call.caller.uid, name, options.owner.as_deref()).await?;
                let change = decode::annotation(options)?;
                shared::refuse_grantee(&self.0, &mut call, &request, ("Annotate", Action::Write)).await?;
                pay_for_versions(service, &call, &request);
                self.0.committed(|reply| service.vault.annotate(&call.caller, request, change, reply)).await
            })
            .await
    }

    /// Gives a token another name. Options: `owner` s. Errors: Exists when a live token has that name.
    async fn rename(
        &self,
        #[zbus(header)] header: Header<'_>,
        from: &str,
        to: &str,
        options: Options,
    ) -> Result<(), Refusal> {
        self.0
            .serve(&header, Kind::Write, |mut call| async move {
                let service = &self.0.service;
                let options = decode::options::<DescribeOptions>(options)?;
                let request = decode::named(service, call.caller.uid, from, options.owner.as_deref()).await?;
                let to = TokenName::parse(to)?;
                shared::refuse_grantee(&self.0, &mut call, &request, ("Rename", Action::Write)).await?;
                pay_for_versions(service, &call, &request);
                self.0.committed(|reply| service.vault.rename(&call.caller, request, to, reply)).await
            })
            .await
    }

    /// Deletes a token. Options: `version` t: only that one; with its last version the token goes. Where that was the current one,
    /// the newest that has not expired becomes it where the clock is known to be right, and those between go too. `owner` s.
    async fn delete(&self, #[zbus(header)] header: Header<'_>, name: &str, options: Options) -> Result<(), Refusal> {
        self.0
            .serve(&header, Kind::Write, |mut call| async move {
                let service = &self.0.service;
                let options = decode::options::<DeleteOptions>(options)?;
                let request = decode::named(service, call.caller.uid, name, options.owner.as_deref()).await?;
                decode::version(options.version)?;
                shared::refuse_grantee(&self.0, &mut call, &request, ("Delete", Action::Write)).await?;
                self.0.committed(|reply| service.vault.delete(&call.caller, request, options.version, reply)).await
            })
            .await
    }

    /// Lists the live versions of a token, newest first. Options: `owner` s.
    #[zbus(out_args("versions"))]
    async fn versions(
        &self,
        #[zbus(header)] header: Header<'_>,
        name: &str,
        options: Options,
    ) -> Result<Vec<proto::VersionInfo>, Refusal> {
        self.0
            .serve(&header, Kind::Read, |mut call| async move {
                let service = &self.0.service;
                let options = decode::options::<DescribeOptions>(options)?;
                let request = decode::named(service, call.caller.uid, name, options.owner.as_deref()).await?;
                shared::refuse_grantee(&self.0, &mut call, &request, ("Versions", Action::Read)).await?;
                let (vault, uid) = (Arc::clone(&service.vault), call.caller.uid);
                // Each is decrypted, hundreds of them: it blocks, and takes turns.
                let listed = in_turn(service, uid, move || vault.versions(&call.caller, &request));
                let next = "retry with fewer calls at a time";
                let versions = self.0.within_time("the versions were not listed", next, listed).await?;
                self.0.count_reply(uid, versions.iter().map(VersionInfo::reply_bytes).sum())?;
                Ok(versions.iter().map(encode::version).collect())
            })
            .await
    }

    /// Stores the value of an earlier version as a new one, whose number it answers. Options: `owner` s.
    #[zbus(out_args("new_version"))]
    async fn rollback(
        &self,
        #[zbus(header)] header: Header<'_>,
        name: &str,
        version: u64,
        options: Options,
    ) -> Result<u64, Refusal> {
        self.0
            .serve(&header, Kind::Write, |mut call| async move {
                let service = &self.0.service;
                let options = decode::options::<DescribeOptions>(options)?;
                let request = decode::named(service, call.caller.uid, name, options.owner.as_deref()).await?;
                decode::version(Some(version))?;
                shared::refuse_grantee(&self.0, &mut call, &request, ("Rollback", Action::Write)).await?;
                let info =
                    self.0.committed(|reply| service.vault.rollback(&call.caller, request, version, reply)).await?;
                Ok(info.version)
            })
            .await
    }

    /// Shares a token with somebody else. A share the grantee has already is replaced. Shares follow a rename of the token, and
    /// end with it: also when it expires, whatever is stored under its name afterwards.
    ///
    /// Grantee: `user:NAME`, `uid:NUMBER`, `group:NAME`: users and groups of this machine, whose number and name must both still
    /// be what they are now when the share is used. Whom it is shared with fetches and describes the token, names its owner for
    /// that, and can neither share it on nor change what is known of it. What is shared with a user ends with Admin.FreezeUser.
    /// `unit:NAME.service`, a service of the system's service manager by its full name, an instance by its own; it is given the
    /// value by `LoadCredential=` in its unit file. Only machine tokens are shared with units, by root and administrators, and no
    /// token with `/` in its name; with users and groups they are shared by root alone.
    ///
    /// Options: `permission` s: `read` (default); `write`, not for units: Put and Generate too. `expires` t: when the share ends.
    /// `uses` u: how often it may be used; its value fetched, or a version put. `note` s: a few words for the grantee, at most
    /// 1024 bytes without control characters. `owner` s.
    ///
    /// Errors: InvalidArgs, AccessDenied, NotFound, LimitsExceeded.
    async fn share(
        &self,
        #[zbus(header)] header: Header<'_>,
        name: &str,
        grantee: &str,
        options: Options,
    ) -> Result<(), Refusal> {
        let desk = &self.0;
        desk.serve(&header, Kind::Write, |call| shares::share(desk, call, name, grantee, options)).await
    }

    /// Ends a share: nothing is given out for it any more. Grantee: as Shares lists it, also when it is no longer there, or by
    /// `uid:NUMBER`; where a name means two, both shares end. Options: `owner` s. Errors: NotFound when there is none.
    async fn unshare(
        &self,
        #[zbus(header)] header: Header<'_>,
        name: &str,
        grantee: &str,
        options: Options,
    ) -> Result<(), Refusal> {
        let desk = &self.0;
        desk.serve(&header, Kind::Write, |call| shares::unshare(desk, call, name, grantee, options)).await
    }

    /// Offers a token: whoever has the code that is answered gets the value once, by Redeem. An offer follows a rename of the
    /// token, and ends with it. Machine tokens are offered by root alone.
    ///
    /// Options: `ttl` t: microseconds until it ends (15 minutes). `attempts` u: how many wrong codes may be tried before it is dead
    /// (5). `owner` s. With the code come `id` s: how the code begins, which names the offer to Issuer.Revoke; `expires` t;
    /// `attempts-left` u.
    ///
    /// Errors: InvalidArgs, AccessDenied, NotFound, LimitsExceeded.
    #[zbus(out_args("code", "offer"))]
    async fn offer(
        &self,
        #[zbus(header)] header: Header<'_>,
        name: &str,
        options: Options,
    ) -> Result<(String, proto::OfferInfo), Refusal> {
        let desk = &self.0;
        desk.serve(&header, Kind::Write, |call| offers::offer(desk, call, name, options)).await
    }

    /// Hands out the value of an offered token through a pipe, as Get does, and what is known of it; then the offer is gone. Of
    /// many with the right code, one gets it. Case, hyphens and blanks of the code do not count.
    ///
    /// Options: `purpose` s and `app` s: written to the audit log.
    ///
    /// Errors: NotFound for a code that is wrong, was redeemed, or has expired; AccessDenied when a purpose is required; Locked.
    #[zbus(out_args("value", "token"))]
    async fn redeem(
        &self,
        #[zbus(header)] header: Header<'_>,
        code: &str,
        options: Options,
    ) -> Result<(OwnedFd, proto::TokenInfo), Refusal> {
        let desk = &self.0;
        desk.serve(&header, Kind::Read, |call| offers::redeem(desk, call, code, options)).await
    }

    /// Lists with whom a token is shared, for those who may share it; what has ended is left out. Options: `owner` s.
    #[zbus(out_args("shares"))]
    async fn shares(
        &self,
        #[zbus(header)] header: Header<'_>,
        name: &str,
        options: Options,
    ) -> Result<Vec<proto::ShareInfo>, Refusal> {
        let desk = &self.0;
        desk.serve(&header, Kind::Read, |call| shares::shares(desk, call, name, options)).await
    }

    /// Lists who fetched a token, the newest first, for its owner and for those who administer machine tokens. What the audit log has
    /// of it: fetches that are alike and within a second are one row.
    ///
    /// Options: `owner` s: `machine`. `limit` u: most rows of the page (100, at most 1000). `after` s: `next` of the page before; an
    /// empty `next` is the end, and a page without rows is not.
    ///
    /// Errors: NotFound, AccessDenied, InvalidArgs.
    #[zbus(out_args("fetches", "next"))]
    async fn fetches(
        &self,
        #[zbus(header)] header: Header<'_>,
        name: &str,
        options: Options,
    ) -> Result<(Vec<proto::FetchInfo>, String), Refusal> {
        let desk = &self.0;
        desk.serve(&header, Kind::Write, |call| fetches::fetches(desk, call, name, options)).await
    }
}

/// What a write may write anew of versions; more of them count as more writes, which others wait behind.
const VERSIONS_A_WRITE: u64 = 32;

/// Has a call that writes every version of a token anew cost as much as that is.
fn pay_for_versions(service: &Service, call: &Call, request: &NamedRequest) {
    let versions = service.vault.versions_to_rewrite(&call.caller, request);
    service.limiter.owe_writes(call.caller.uid, versions / VERSIONS_A_WRITE);
}
