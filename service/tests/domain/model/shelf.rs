//! What one user's tokens are, in plain words.

use std::collections::BTreeMap;

use tokenvault_core::Timestamp;
use tokenvault_core::crypto::pad::padded_len;
use tokenvault_core::token::{Annotation, Class, Expiry, PutMode, PutOptions, TokenInfo, VersionInfo};

use crate::fixture::Refused;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    number: u64,
    value: Vec<u8>,
    created: Timestamp,
    expires: Option<Timestamp>,
    content_type: String,
}

impl Version {
    fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    fn bytes(&self) -> u64 {
        let expires = self.expires.map_or(0, |_| 1 + TIME);
        let meta = 1 + 1 + head(self.value.len()) + 1 + TIME + expires + 1 + text(&self.content_type);
        padded_len(self.value.len()).unwrap() as u64 + (SEALED + meta + SEALED + 32).next_multiple_of(64)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    /// Place in lists.
    place: u64,
    newest: u64,
    created: Timestamp,
    updated: Timestamp,
    attributes: BTreeMap<String, String>,
    keep: usize,
    require_purpose: bool,
    /// Oldest first; the last is the current one.
    versions: Vec<Version>,
}

impl Token {
    fn current(&self) -> &Version {
        self.versions.last().expect("a token has a version")
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.current().is_live(now)
    }

    fn bytes(&self, name: &str) -> u64 {
        let attributes = self.attributes.iter().map(|(key, value)| text(key) + text(value)).sum::<u64>();
        let meta = 1 + 1 + text(name) + 1 + head(self.attributes.len()) + attributes + 2 * (1 + TIME);
        let flags = 1 + head(self.keep) + 1 + 1;
        (SEALED + meta + flags).next_multiple_of(64) + 64 * self.attributes.len() as u64
    }

    fn prune(&mut self) {
        let surplus = self.versions.len().saturating_sub(self.keep);
        self.versions.drain(..surplus);
    }
}

/// The tokens of one user.
#[derive(Clone)]
pub struct Shelf {
    uid: u32,
    tokens: BTreeMap<String, Token>,
    places: u64,
    pub quota_tokens: usize,
    pub quota_bytes: u64,
}

/// What is added to something by sealing it, and what a time is in CBOR.
const SEALED: u64 = 1 + 32 + 32 + 16;
const TIME: u64 = 9;

/// Bytes of a number or a length in CBOR.
const fn head(number: usize) -> u64 {
    match number {
        0..24 => 1,
        24..256 => 2,
        _ => 3,
    }
}

fn text(text: &str) -> u64 {
    head(text.len()) + text.len() as u64
}

type Answer<T> = Result<T, Refused>;

impl Shelf {
    pub const fn new(uid: u32, quota_tokens: usize, quota_bytes: u64) -> Self {
        Self { uid, tokens: BTreeMap::new(), places: 0, quota_tokens, quota_bytes }
    }

    fn live(&self, name: &str, now: Timestamp) -> Answer<&Token> {
        self.tokens.get(name).filter(|token| token.is_live(now)).ok_or(Refused::NotFound)
    }

    fn live_mut(&mut self, name: &str, now: Timestamp) -> Answer<&mut Token> {
        self.tokens.get_mut(name).filter(|token| token.is_live(now)).ok_or(Refused::NotFound)
    }

    pub fn usage(&self) -> (u64, u64) {
        let bytes = self
            .tokens
            .iter()
            .map(|(name, token)| token.bytes(name) + token.versions.iter().map(Version::bytes).sum::<u64>());
        (self.tokens.len() as u64, bytes.sum())
    }

    pub fn put(&mut self, name: &str, value: &[u8], options: &PutOptions, now: Timestamp) -> Answer<TokenInfo> {
        let live = self.live(name, now).ok().cloned();
        let current = live.as_ref().map_or(0, |token| token.current().number);
        if options.expect_version.is_some_and(|expected| expected != current) {
            return Err(Refused::Conflict);
        }
        match options.mode {
            PutMode::Create if live.is_some() => return Err(Refused::Exists),
            PutMode::Replace if live.is_none() => return Err(Refused::NotFound),
            _ => {}
        }
        let before = self.clone();
        let (place, newest) = match self.tokens.get(name) {
            Some(held) => (held.place, held.newest + 1),
            None => {
                self.places += 1;
                (self.places, 1)
            }
        };
        let was = |default| live.as_ref().map_or(default, |token| token.current().content_type.clone());
        let version = Version {
            number: newest,
            value: value.to_vec(),
            created: now,
            expires: resolve(options.expiry, now),
            content_type: options.content_type.as_ref().map_or(was(String::new()), |given| given.as_str().to_owned()),
        };
        let mut token = live.unwrap_or(Token {
            place,
            newest,
            created: now,
            updated: now,
            attributes: BTreeMap::new(),
            keep: 10,
            require_purpose: false,
            versions: Vec::new(),
        });
        (token.newest, token.updated) = (newest, now);
        token.attributes = options.attributes.clone().map_or(token.attributes, |given| given.into_map());
        token.keep = options.keep_versions.map_or(token.keep, |keep| keep as usize);
        token.require_purpose = options.require_purpose.unwrap_or(token.require_purpose);
        token.versions.push(version);
        token.prune();
        self.tokens.insert(name.to_owned(), token);
        self.check_quota(before)?;
        self.describe(name, now)
    }

    fn check_quota(&mut self, before: Self) -> Answer<()> {
        let ((tokens_before, bytes_before), (tokens, bytes)) = (before.usage(), self.usage());
        let too_many = tokens > tokens_before && tokens > self.quota_tokens as u64;
        if too_many || bytes > bytes_before && bytes > self.quota_bytes {
            *self = before;
            return Err(Refused::LimitsExceeded);
        }
        Ok(())
    }

    pub fn get(&self, name: &str, version: Option<u64>, purpose: bool, now: Timestamp) -> Answer<Vec<u8>> {
        let token = self.live(name, now)?;
        let version = version.unwrap_or(token.current().number);
        let version = token.versions.iter().find(|held| held.number == version && held.is_live(now));
        let version = version.ok_or(Refused::NotFound)?;
        if token.require_purpose && !purpose {
            return Err(Refused::AccessDenied);
        }
        Ok(version.value.clone())
    }

    pub fn describe(&self, name: &str, now: Timestamp) -> Answer<TokenInfo> {
        let token = self.live(name, now)?;
        let version = token.current();
        Ok(TokenInfo {
            name: name.to_owned(),
            owner: self.uid,
            version: version.number,
            size: version.value.len() as u64,
            class: Class::Machine,
            content_type: version.content_type.clone(),
            attributes: token.attributes.clone(),
            created: token.created,
            updated: token.updated,
            expires: version.expires,
            require_purpose: token.require_purpose,
            shared: false,
            grant: None,
        })
    }

    pub fn versions(&self, name: &str, now: Timestamp) -> Answer<Vec<VersionInfo>> {
        let token = self.live(name, now)?;
        let live = token.versions.iter().rev().filter(|version| version.is_live(now));
        Ok(live
            .map(|version| VersionInfo {
                version: version.number,
                size: version.value.len() as u64,
                created: version.created,
                expires: version.expires,
                current: version.number == token.current().number,
            })
            .collect())
    }

    /// What carries all of `attributes`, in the order of a list.
    pub fn list(&self, attributes: &BTreeMap<String, String>, now: Timestamp) -> Vec<TokenInfo> {
        let mut live: Vec<_> = self.tokens.iter().filter(|(_, token)| token.is_live(now)).collect();
        live.retain(|(_, token)| attributes.iter().all(|(key, value)| token.attributes.get(key) == Some(value)));
        live.sort_by_key(|(_, token)| token.place);
        live.into_iter().map(|(name, _)| self.describe(name, now).unwrap()).collect()
    }

    pub fn delete(&mut self, name: &str, version: Option<u64>, now: Timestamp) -> Answer<()> {
        let live = self.live(name, now).map(drop);
        let Some(version) = version else {
            // What has expired is not found, and goes all the same.
            self.tokens.remove(name);
            return live;
        };
        let token = self.live_mut(name, now)?;
        let at = token.versions.iter().position(|held| held.number == version).ok_or(Refused::NotFound)?;
        token.versions.remove(at);
        token.updated = now;
        if token.versions.is_empty() {
            self.tokens.remove(name);
        }
        Ok(())
    }

    pub fn rename(&mut self, from: &str, to: &str, now: Timestamp) -> Answer<()> {
        self.live(from, now)?;
        if from == to {
            return Ok(());
        }
        if self.live(to, now).is_ok() {
            return Err(Refused::Exists);
        }
        let before = self.clone();
        let mut token = self.tokens.remove(from).ok_or(Refused::NotFound)?;
        token.updated = now;
        self.tokens.insert(to.to_owned(), token);
        self.check_quota(before)
    }

    pub fn annotate(&mut self, name: &str, change: &Annotation, now: Timestamp) -> Answer<()> {
        let before = self.clone();
        let token = self.live_mut(name, now)?;
        token.updated = now;
        token.attributes = change.attributes.clone().map_or(token.attributes.clone(), |given| given.into_map());
        token.keep = change.keep_versions.map_or(token.keep, |keep| keep as usize);
        token.require_purpose = change.require_purpose.unwrap_or(token.require_purpose);
        let current = token.versions.last_mut().expect("a token has a version");
        current.expires = change.expiry.map_or(current.expires, |expiry| resolve(expiry, now));
        token.prune();
        self.check_quota(before)
    }

    pub fn rollback(&mut self, name: &str, version: u64, now: Timestamp) -> Answer<TokenInfo> {
        let token = self.live(name, now)?;
        let old = token.versions.iter().find(|held| held.number == version && held.is_live(now));
        let old = old.ok_or(Refused::NotFound)?.clone();
        let options = PutOptions {
            content_type: Some(tokenvault_core::name::ContentType::parse(&old.content_type).unwrap()),
            expiry: old.expires.map_or(Expiry::Never, Expiry::At),
            ..PutOptions::default()
        };
        self.put(name, &old.value, &options, now)
    }
}

fn resolve(expiry: Expiry, now: Timestamp) -> Option<Timestamp> {
    match expiry {
        Expiry::Never => None,
        Expiry::At(point) => Some(point),
        Expiry::With(end) => Some(end.at),
        Expiry::After(usec) => now.checked_add_usec(usec),
    }
}
