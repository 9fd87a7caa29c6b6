//! From the wire's words to the domain's types.

use std::time::Duration;

use tokenvault_core::crypto::pad::VALUE_BYTES_MAX;
use tokenvault_core::name::{Attributes, ContentType, Hint, NamePrefix, TokenName};
use tokenvault_core::owner::{NameDigest, Owner};
use tokenvault_core::token::generate::{Charset, Recipe};
use tokenvault_core::token::{Annotation, Class, Expiry, GetRequest, ListRequest, NamedRequest, PutMode, PutOptions};
use tokenvault_core::{Error, Secret, Timestamp};
use tokenvault_proto as proto;
use tokenvault_proto::Dictionary;
use zbus::OwnedFd;

use super::Options;
use crate::caller::{UserError, Users};
use crate::service::Service;
use crate::value::Portion;
use crate::value::incoming::{EmptyValue, IncomingLimits, ReceiveError, Received, Room, receive, receive_any};

/// Longest user name that is looked up; LOGIN_NAME_MAX of Linux.
const USER_NAME_BYTES_MAX: usize = 256;

/// Decodes the option dictionary of a method.
pub fn options<T: Dictionary>(options: Options) -> Result<T, Error> {
    T::from_dict(options.once()?).map_err(|error| Error::InvalidArgs(error.to_string()))
}

/// Takes the value of a `Put` of `uid` in, and what it counts for until it is stored.
/// Where it is longer than one that lies in a row may be, that is what its beginning counts for.
pub async fn value(service: &Service, uid: u32, fd: OwnedFd) -> Result<(Received, Portion), Error> {
    let limit = match service.config().limits.value_bytes {
        0 => VALUE_BYTES_MAX,
        limit => usize::try_from(limit).unwrap_or(VALUE_BYTES_MAX).min(VALUE_BYTES_MAX),
    };
    let mut portion = service.pipes.portion_of(uid);
    let room = Room { portion: &mut portion, memory: service.vault.memory() };
    let limits = IncomingLimits { max_bytes: limit, deadline: patience(service), empty: EmptyValue::Refused };
    Ok((receive_any(fd.into(), limits, room).await?, portion))
}

/// Refuses a value of another length than was said.
pub fn check_size(said: Option<u64>, size: u64) -> Result<(), Error> {
    match said {
        Some(said) if size > said => Err(Error::InvalidArgs(format!(
            "the value has more bytes than option 'size' says, {said}; leave 'size' out where it is not known"
        ))),
        Some(said) if said != size => Err(Error::InvalidArgs(format!(
            "the value ended after {size} bytes, and option 'size' says {said}; write all of it"
        ))),
        _ => Ok(()),
    }
}

/// Takes the secret of a slot in.
pub async fn slot_secret(
    service: &Service,
    uid: u32,
    fd: OwnedFd,
    len: usize,
    empty: EmptyValue,
) -> Result<Secret, Error> {
    // Counted while it comes. It is a few bytes, and an administrator's.
    let mut portion = service.pipes.portion_of(uid);
    let room = Room { portion: &mut portion, memory: service.vault.memory() };
    take(service, fd, room, len, empty).await.map_err(|error| match error {
        ReceiveError::TooLarge { limit } => Error::InvalidArgs(format!("the secret of a slot has {limit} bytes")),
        error => error.into(),
    })
}

async fn take(
    service: &Service,
    fd: OwnedFd,
    room: Room<'_>,
    max_bytes: usize,
    empty: EmptyValue,
) -> Result<Secret, ReceiveError> {
    receive(fd.into(), IncomingLimits { max_bytes, deadline: patience(service), empty }, room).await
}

/// How long who writes a value may take, or make no progress.
fn patience(service: &Service) -> Duration {
    match service.config().limits.pipe_seconds {
        0 => Duration::MAX,
        seconds => Duration::from_secs(seconds),
    }
}

/// Checks the number of a version.
pub fn version(number: Option<u64>) -> Result<Option<u64>, Error> {
    match number {
        Some(0) => Err(Error::InvalidArgs("versions count from 1".into())),
        number => Ok(number),
    }
}

/// Whose token is meant, for a caller whose uid is `asker`.
pub async fn owner(users: &Users, asker: u32, text: Option<&str>) -> Result<Owner, Error> {
    let malformed = || Error::InvalidArgs("option 'owner' must be 'machine', 'user:NAME' or 'uid:NUMBER'".into());
    let Some(text) = text else { return Ok(Owner::Own) };
    if text == "machine" {
        return Ok(Owner::Machine);
    }
    if let Some(uid) = text.strip_prefix("uid:") {
        let digits = !uid.is_empty() && uid.bytes().all(|byte| byte.is_ascii_digit());
        let uid = digits.then(|| uid.parse().ok()).flatten();
        return uid.map(Owner::Uid).ok_or_else(malformed);
    }
    let is_name = |name: &&str| !name.is_empty() && name.len() <= USER_NAME_BYTES_MAX && !name.contains('\0');
    let name = text.strip_prefix("user:").filter(is_name);
    match called(users, asker, name.ok_or_else(malformed)?).await {
        Ok(owner) => Ok(owner),
        Err(UserError::Unknown) => Ok(Owner::Nobody),
        Err(UserError::Unavailable(why)) => Err(Error::Unavailable(format!("{why}; retry"))),
    }
}

/// The owner of a name. One uid may be found by more than one: it counts which goes with the uid.
async fn called(users: &Users, asker: u32, name: &str) -> Result<Owner, UserError> {
    let uid = users.uid(asker, name).await?;
    if uid == asker {
        return Ok(Owner::Uid(uid));
    }
    let name = users.name_for(asker, uid).await?;
    Ok(Owner::User(uid, NameDigest::of(&name)))
}

/// The same for a method whose answer is not `NotFound` when there is no such user: it is a miss all the same, since each
/// new name costs a look-up.
pub async fn owner_or_miss(service: &Service, asker: u32, text: Option<&str>) -> Result<Owner, Error> {
    let owner = owner(&service.users, asker, text).await?;
    if owner == Owner::Nobody {
        service.limiter.pay_miss(asker)?;
    }
    Ok(owner)
}

/// A token by name and owner.
pub async fn named(service: &Service, asker: u32, name: &str, text: Option<&str>) -> Result<NamedRequest, Error> {
    Ok(NamedRequest { name: TokenName::parse(name)?, owner: owner(&service.users, asker, text).await? })
}

/// `Put`'s options.
pub async fn put_options(service: &Service, asker: u32, options: proto::PutOptions) -> Result<PutOptions, Error> {
    let mode = match options.mode.as_deref() {
        None => PutMode::default(),
        Some(word) => PutMode::parse(word)
            .ok_or_else(|| Error::InvalidArgs("option 'mode' must be 'upsert', 'create' or 'replace'".into()))?,
    };
    let class = match options.class.as_deref() {
        None => None,
        Some(word) => Some(
            Class::parse(word)
                .ok_or_else(|| Error::InvalidArgs("option 'class' must be 'machine' or 'login'".into()))?,
        ),
    };
    let expiry = match (options.ttl, options.expires) {
        (Some(_), Some(_)) => return Err(Error::InvalidArgs("give 'ttl' or 'expires', not both".into())),
        (Some(ttl), None) => Expiry::After(ttl),
        (None, Some(expires)) => Expiry::At(Timestamp::from_usec(expires)),
        (None, None) => Expiry::Never,
    };
    Ok(PutOptions {
        mode,
        expect_version: options.expect_version,
        class,
        owner: owner_or_miss(service, asker, options.owner.as_deref()).await?,
        groups: Vec::new(),
        content_type: options.content_type.as_deref().map(ContentType::parse).transpose()?,
        attributes: options.attributes.map(Attributes::parse).transpose()?,
        expiry,
        keep_versions: options.keep_versions,
        require_purpose: options.require_purpose,
    })
}

/// How `Generate` makes its value.
pub fn recipe(options: &proto::GenerateOptions) -> Result<Recipe, Error> {
    let charset = options.charset.as_deref().map_or(Ok(Charset::Base62), Charset::parse)?;
    let length = options.length.unwrap_or(proto::GENERATE_LENGTH_DEFAULT);
    Recipe::new(charset, length, options.prefix.as_deref().unwrap_or_default())
}

/// `Get` of the caller's own token; `None` where another's may be meant.
pub fn get_own(name: &str, options: proto::GetOptions) -> Result<Option<GetRequest>, Error> {
    if options.owner.is_some() { Ok(None) } else { get_of(Owner::Own, name, &options).map(Some) }
}

/// `Get`.
pub async fn get(users: &Users, asker: u32, name: &str, options: proto::GetOptions) -> Result<GetRequest, Error> {
    get_of(owner(users, asker, options.owner.as_deref()).await?, name, &options)
}

fn get_of(owner: Owner, name: &str, options: &proto::GetOptions) -> Result<GetRequest, Error> {
    Ok(GetRequest {
        name: TokenName::parse(name)?,
        owner,
        version: version(options.version)?,
        purpose: Hint::parse("purpose", options.purpose.as_deref().unwrap_or_default())?,
        app: Hint::parse("app", options.app.as_deref().unwrap_or_default())?,
    })
}

/// Rows of a page.
pub fn limit(limit: Option<u32>) -> Result<usize, Error> {
    match limit.unwrap_or(proto::PAGE_DEFAULT) {
        limit @ 1..=proto::PAGE_MAX => Ok(limit as usize),
        _ => Err(Error::InvalidArgs(format!("option 'limit' must be 1 to {}", proto::PAGE_MAX))),
    }
}

/// Whose tokens a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Of the owner in the request; where that is not the caller, what that owner shares with it.
    Named,
    /// What others share with the caller.
    OfOthers,
    /// What the owner in the request shares with it.
    OfOneOther,
}

/// `List`.
pub async fn list(service: &Service, asker: u32, options: proto::ListOptions) -> Result<(ListRequest, Whose), Error> {
    let limit = limit(options.limit)?;
    let with_me = options.shared_with_me == Some(true);
    let whose = match (with_me, &options.owner) {
        (true, None) => Whose::OfOthers,
        (true, Some(_)) => Whose::OfOneOther,
        (false, _) => Whose::Named,
    };
    let owner = owner_or_miss(service, asker, options.owner.as_deref()).await?;
    let request = ListRequest {
        owner,
        prefix: NamePrefix::parse(options.prefix.as_deref().unwrap_or_default())?,
        attributes: Attributes::parse(options.attributes.unwrap_or_default())?,
        expires_before: options.expires_before.map(Timestamp::from_usec),
        limit,
        after: options.after.unwrap_or_default(),
    };
    Ok((request, whose))
}

/// `Annotate`.
pub fn annotation(options: proto::AnnotateOptions) -> Result<Annotation, Error> {
    Ok(Annotation {
        attributes: options.attributes.map(Attributes::parse).transpose()?,
        expiry: options.expires.map(|expires| match expires {
            0 => Expiry::Never,
            point => Expiry::At(Timestamp::from_usec(point)),
        }),
        content_type: options.content_type.as_deref().map(ContentType::parse).transpose()?,
        keep_versions: options.keep_versions,
        require_purpose: options.require_purpose,
    })
}
