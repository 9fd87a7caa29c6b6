//! `org.tokenvault1.Tokens`: the caller's tokens.

use std::os::fd::AsFd;

use serde::Serialize;
use tokenvault_proto::{
    AnnotateOptions, DeleteOptions, DescribeOptions, FetchInfo, FetchesOptions, GenerateOptions, GetOptions,
    ListOptions, OfferInfo, OfferOptions, PutOptions, RedeemOptions, ShareInfo, ShareOptions, TakenSecret, TokenInfo,
    VersionInfo,
};
use zbus::Type;
use zeroize::Zeroizing;

use crate::call;
use crate::client::Client;
use crate::error::Error;
use crate::method::{self, Method};
use crate::pipe;
use crate::text::Text;
use crate::value::Value;
use crate::value_stream::ValueStream;

impl Client {
    /// The value of a token.
    ///
    /// # Errors
    /// A row of the contract's table, or a `Timeout` when the value did not come whole.
    pub fn get(&self, name: &str, options: &GetOptions) -> Result<Value, Error> {
        self.fetch(get_of(options), name, options)
    }

    /// The same, to be read piece by piece.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn get_stream(&self, name: &str, options: &GetOptions) -> Result<ValueStream, Error> {
        self.stream(get_of(options), name, options)
    }

    /// Stores `value` as the newest version of a token and returns that version's number.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn put(&self, name: &str, value: &[u8], options: &PutOptions) -> Result<u64, Error> {
        if value.len() <= pipe::PIPE_BYTES {
            return self.call_with_value(&method::PUT, value, |pipe| (Text(name), pipe, options));
        }
        self.put_with(name, value, options.clone())
    }

    /// The same with options that are given away, so that no memory is needed for a copy.
    ///
    /// # Errors
    /// As [`Client::put`].
    pub fn put_with(&self, name: &str, value: &[u8], mut options: PutOptions) -> Result<u64, Error> {
        if value.len() <= pipe::PIPE_BYTES {
            return self.put(name, value, &options);
        }
        // It is written while the call is under way: if this program is killed, the vault must not take a part of it for the whole.
        options.size = Some(value.len() as u64);
        self.call_with_value(&method::PUT_LONG, value, |pipe| (Text(name), pipe, &options))
    }

    /// Has the vault make a value, stores it and returns it.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn generate(&self, name: &str, options: &GenerateOptions) -> Result<Value, Error> {
        self.fetch(&method::GENERATE, name, options)
    }

    /// A token without its value.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn describe(&self, name: &str, options: &DescribeOptions) -> Result<TokenInfo, Error> {
        self.call(&method::DESCRIBE, &(Text(name), options))
    }

    /// One page of tokens, and where the next begins: empty after the last.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn list(&self, options: &ListOptions) -> Result<(Vec<TokenInfo>, String), Error> {
        self.call_page(&method::LIST, options)
    }

    /// Changes what `options` gives and nothing else.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn annotate(&self, name: &str, options: &AnnotateOptions) -> Result<(), Error> {
        self.call(&method::ANNOTATE, &(Text(name), options))
    }

    /// Gives a token another name.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn rename(&self, from: &str, to: &str, options: &DescribeOptions) -> Result<(), Error> {
        self.call(&method::RENAME, &(Text(from), Text(to), options))
    }

    /// Deletes a token, or one version of it.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn delete(&self, name: &str, options: &DeleteOptions) -> Result<(), Error> {
        self.call(&method::DELETE, &(Text(name), options))
    }

    /// The versions that are kept.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn versions(&self, name: &str, options: &DescribeOptions) -> Result<Vec<VersionInfo>, Error> {
        self.call_rows(&method::VERSIONS, &(Text(name), options))
    }

    /// Makes a new version with the value of an old one and returns its number.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn rollback(&self, name: &str, version: u64, options: &DescribeOptions) -> Result<u64, Error> {
        self.call(&method::ROLLBACK, &(Text(name), version, options))
    }

    /// Shares a token with `grantee`, `unit:NAME.service`.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn share(&self, name: &str, grantee: &str, options: &ShareOptions) -> Result<(), Error> {
        self.call(&method::SHARE, &(Text(name), Text(grantee), options))
    }

    /// Ends a share.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn unshare(&self, name: &str, grantee: &str, options: &DescribeOptions) -> Result<(), Error> {
        self.call(&method::UNSHARE, &(Text(name), Text(grantee), options))
    }

    /// With whom a token is shared.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn shares(&self, name: &str, options: &DescribeOptions) -> Result<Vec<ShareInfo>, Error> {
        self.call_rows(&method::SHARES, &(Text(name), options))
    }

    /// Offers a token; the code that gives its value once, and what names the offer.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn offer(&self, name: &str, options: &OfferOptions) -> Result<(Zeroizing<String>, OfferInfo), Error> {
        let (TakenSecret(code), offer) = self.call(&method::OFFER, &(Text(name), options))?;
        Ok((code, offer))
    }

    /// One page of who fetched a token, the newest first, and where the next begins: empty after the last. A page may have no rows.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn fetches(&self, name: &str, options: &FetchesOptions) -> Result<(Vec<FetchInfo>, String), Error> {
        self.call_page(&method::FETCHES, &(Text(name), options))
    }

    /// The value of an offered token, once.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn redeem(&self, code: &str, options: &RedeemOptions) -> Result<Value, Error> {
        self.fetch(&method::REDEEM, code, options)
    }

    /// The same, to be read piece by piece.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn redeem_stream(&self, code: &str, options: &RedeemOptions) -> Result<ValueStream, Error> {
        self.stream(&method::REDEEM, code, options)
    }

    fn stream(&self, method: &Method, name: &str, options: &(impl Serialize + Type)) -> Result<ValueStream, Error> {
        let reply = self.ask(method, self.until(method), &(Text(name), options))?;
        let (pipe, info): (zbus::OwnedFd, TokenInfo) = call::decode(method, &reply)?;
        Ok(ValueStream::new(pipe.into(), info, self.deadline_of(method), method.repeatable))
    }

    /// A call that answers with a value. The value is read after other threads may have their turn again.
    fn fetch(&self, method: &Method, name: &str, options: &(impl Serialize + Type)) -> Result<Value, Error> {
        let until = self.until(method);
        let reply = self.ask(method, until, &(Text(name), options))?;
        // Borrowed, since a copy of it would be one more descriptor to make and to close.
        let (read, info): (zbus::Fd<'_>, TokenInfo) = call::decode(method, &reply)?;
        if info.size > pipe::PIPE_BYTES as u64 {
            // As long as it comes, it may take its time.
            let read = read
                .as_fd()
                .try_clone_to_owned()
                .map_err(|error| Error::local("keep the pipe of the value", &error))?;
            return ValueStream::new(read, info, self.deadline_of(method), method.repeatable).read_whole();
        }
        Value::receive(read.as_fd(), info, until, method.repeatable)
    }
}

/// `Get`, which may take a use of a share where a token is another's.
const fn get_of(options: &GetOptions) -> &'static Method {
    if options.owner.is_some() { &method::GET_OF_ANOTHER } else { &method::GET }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_take_a_use_of_a_share_is_not_asked_twice() {
        let of_another = GetOptions { owner: Some("user:alice".into()), ..GetOptions::default() };
        assert!(!get_of(&of_another).repeatable && get_of(&GetOptions::default()).repeatable);
    }
}
