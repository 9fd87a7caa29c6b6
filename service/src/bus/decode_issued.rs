//! From the wire's words to the domain's types: what is issued, validated and offered.

use tokenvault_core::Error;
use tokenvault_core::issued::{
    Audience, GroupNow, IssueRequest, IssuedFilter, IssuedListRequest, Kind, Named, NewKind, Presented, Scopes,
    ValidateRequest, check_attempts, check_uses,
};
use tokenvault_core::name::{Attributes, Hint};
use tokenvault_core::token::{OfferRequest, RedeemRequest};
use tokenvault_proto as proto;

use super::decode;
use crate::caller::UserError;
use crate::service::Service;

/// `Issue`.
pub async fn issue(service: &Service, asker: u32, options: proto::IssueOptions) -> Result<IssueRequest, Error> {
    let kind = match options.kind.as_deref() {
        None | Some("token") => match (options.length, options.attempts) {
            (None, None) => NewKind::Token,
            _ => return Err(Error::InvalidArgs("options 'length' and 'attempts' are for kind 'code'".into())),
        },
        Some("code") => NewKind::code(options.length, options.attempts)?,
        Some(_) => return Err(Error::InvalidArgs("option 'kind' must be 'token' or 'code'".into())),
    };
    Ok(IssueRequest {
        kind,
        subject: text("subject", options.subject.as_deref())?,
        scopes: Scopes::parse(options.scopes.unwrap_or_default())?,
        claims: Attributes::parse(options.claims.unwrap_or_default())?,
        ttl: options.ttl.unwrap_or(proto::ISSUE_TTL_DEFAULT),
        uses: check_uses(options.uses)?,
        // Last, since it may ask the directory.
        audience: audience(service, asker, text("audience", options.audience.as_deref())?.as_str()).await?,
    })
}

fn text(key: &str, given: Option<&str>) -> Result<Hint, Error> {
    Hint::parse(key, given.unwrap_or_default())
}

/// For whom something is to be: users and groups with the numbers they have now.
async fn audience(service: &Service, asker: u32, text: &str) -> Result<Audience, Error> {
    let named = |number, name: &str| Named { number, name: name.to_owned() };
    if let Some(name) = text.strip_prefix("user:") {
        let uid = service.users.uid(asker, name).await;
        return found(service, asker, uid, "user").map(|uid| Audience::User(named(uid, name)));
    }
    if let Some(name) = text.strip_prefix("group:") {
        let gid = service.users.gid_for(asker, name).await;
        return found(service, asker, gid, "group").map(|gid| Audience::Group(named(gid, name)));
    }
    Ok(Audience::Text(text.to_owned()))
}

/// Each new name costs a look-up: one that nobody has is a miss.
fn found(service: &Service, asker: u32, number: Result<u32, UserError>, what: &str) -> Result<u32, Error> {
    match number {
        Ok(number) => Ok(number),
        Err(UserError::Unknown) => {
            service.limiter.pay_miss(asker)?;
            Err(Error::InvalidArgs(format!("option 'audience' names a {what} that this machine does not have")))
        }
        Err(UserError::Unavailable(why)) => Err(Error::Unavailable(format!("{why}; retry"))),
    }
}

/// The number that a group has now, which was found in something issued.
pub async fn group_now(service: &Service, asker: u32, name: String) -> Result<GroupNow, Error> {
    match service.users.gid_for(asker, &name).await {
        Ok(gid) => Ok(GroupNow { name, gid: Some(gid) }),
        Err(UserError::Unknown) => Ok(GroupNow { name, gid: None }),
        Err(UserError::Unavailable(why)) => Err(Error::Unavailable(format!("{why}; retry"))),
    }
}

/// `Validate`.
pub fn validate(token: &str, options: proto::ValidateOptions) -> Result<ValidateRequest, Error> {
    Ok(ValidateRequest {
        presented: Presented::parse(token, options.id.as_deref()),
        audience: options.audience.map(|audience| text("audience", Some(&audience)).map(|_| audience)).transpose()?,
        scopes: Scopes::parse(options.scopes.unwrap_or_default())?,
        consume: options.consume.unwrap_or(false),
    })
}

/// What is meant by a filter.
pub fn filter(options: proto::RevokeAllOptions) -> Result<IssuedFilter, Error> {
    let kind = options.kind.as_deref().map(|word| {
        Kind::parse(word).ok_or_else(|| Error::InvalidArgs("option 'kind' must be 'token', 'code' or 'offer'".into()))
    });
    Ok(IssuedFilter {
        kind: kind.transpose()?,
        subject: options.subject,
        audience: options.audience,
        scopes: Scopes::parse(options.scopes.unwrap_or_default())?,
    })
}

/// `Issued`.
pub fn issued(options: proto::IssuedOptions) -> Result<IssuedListRequest, Error> {
    let limit = decode::limit(options.limit)?;
    let filter = filter(options.filter())?;
    Ok(IssuedListRequest { filter, limit, after: options.after.unwrap_or_default() })
}

/// `Offer`.
pub async fn offer(
    service: &Service,
    asker: u32,
    name: &str,
    options: proto::OfferOptions,
) -> Result<OfferRequest, Error> {
    let attempts = check_attempts(options.attempts)?;
    let token = decode::named(service, asker, name, options.owner.as_deref()).await?;
    Ok(OfferRequest { token, ttl: options.ttl.unwrap_or(proto::OFFER_TTL_DEFAULT), attempts })
}

/// `Redeem`.
pub fn redeem(code: &str, options: &proto::RedeemOptions) -> Result<RedeemRequest, Error> {
    let purpose = text("purpose", options.purpose.as_deref())?;
    Ok(RedeemRequest::new(code, purpose, text("app", options.app.as_deref())?))
}
