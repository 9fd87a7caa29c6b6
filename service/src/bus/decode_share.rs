//! From the wire's words to the domain's types: what is shared, and with whom.

use tokenvault_core::grantee::{Grantee, GranteeText};
use tokenvault_core::issued::Named;
use tokenvault_core::name::Note;
use tokenvault_core::token::{Permission, ShareRequest};
use tokenvault_core::{Error, Timestamp};
use tokenvault_proto as proto;

use super::decode;
use crate::caller::UserError;
use crate::service::Service;

/// `Share`.
pub async fn share(
    service: &Service,
    asker: u32,
    (name, grantee): (&str, &str),
    options: proto::ShareOptions,
) -> Result<ShareRequest, Error> {
    let permission = match options.permission.as_deref() {
        None => Permission::Read,
        Some(word) => Permission::parse(word)
            .ok_or_else(|| Error::InvalidArgs("option 'permission' must be 'read' or 'write'".into()))?,
    };
    Ok(ShareRequest {
        token: decode::named(service, asker, name, options.owner.as_deref()).await?,
        permission,
        expires: options.expires.map(Timestamp::from_usec),
        uses: options.uses,
        note: Note::parse(options.note.as_deref().unwrap_or_default())?,
        // Last, since it may ask the directory.
        grantee: self::grantee(service, asker, GranteeText::parse(grantee)?).await?,
    })
}

/// With whom something is to be shared: users and groups with the numbers and names they have now.
async fn grantee(service: &Service, asker: u32, text: GranteeText) -> Result<Grantee, Error> {
    let users = &service.users;
    let user = match text {
        GranteeText::Unit(name) => return Ok(Grantee::Unit(name)),
        GranteeText::Group(name) => {
            let number = found(service, asker, users.gid_for(asker, &name).await, "group")?;
            return Ok(Grantee::Group(Named { number, name }));
        }
        GranteeText::User(name) => found(service, asker, users.uid(asker, &name).await, "user")?,
        GranteeText::Uid(uid) => uid,
    };
    // By the name that goes with the uid: one uid may be found by more than one.
    let name = found(service, asker, users.name_for(asker, user).await, "user")?;
    Ok(Grantee::User(Named { number: user, name: name.as_ref().to_owned() }))
}

/// Each new name costs a look-up: one that nobody has is a miss.
fn found<T>(service: &Service, asker: u32, looked: Result<T, UserError>, what: &str) -> Result<T, Error> {
    match looked {
        Ok(found) => Ok(found),
        Err(UserError::Unknown) => {
            service.limiter.pay_miss(asker)?;
            Err(Error::InvalidArgs(format!(
                "the grantee is a {what} that this machine does not have; look for a typing error"
            )))
        }
        Err(UserError::Unavailable(why)) => Err(Error::Unavailable(format!("{why}; retry"))),
    }
}
