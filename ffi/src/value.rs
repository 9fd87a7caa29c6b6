//! `tokenvault_value`: a token, a version or a share of it, with or without its value, or something issued. What is known beside
//! the value: `metadata`, and `issued` for what was issued.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use tokenvault_client::proto::memory;
use tokenvault_client::{Issued, IssuedInfo, OfferInfo, ShareInfo, TokenInfo, Value as Fetched, VersionInfo};
use zeroize::Zeroizing;

use crate::boundary::answer;
use crate::failure::Failure;
use crate::handle::{self, Object};
use crate::texts::Texts;

/// A token. What its functions give out lives as long as it does.
pub struct Value {
    /// Boxed, as most rows of a list have none.
    data: Option<Data>,
    pub(crate) facts: Facts,
    /// First those of [`Text`], in that order; then the scopes; then key, value, key, value of the attributes.
    texts: Texts,
}

/// Bytes that are wiped when they go.
enum Data {
    /// A value that was fetched.
    Fetched(Box<Fetched>),
    /// The text of something that was issued, and a zero byte.
    Text(Zeroizing<Vec<u8>>),
}

impl Data {
    fn of_text(text: &str) -> Result<Self, Failure> {
        // As long as it gets: growing would leave a copy behind.
        let mut data = Zeroizing::new(Vec::new());
        memory::exactly(&mut data, text.len() + 1).map_err(Failure::unheld)?;
        data.extend_from_slice(text.as_bytes());
        data.push(0);
        Ok(Self::Text(data))
    }

    /// Its bytes, and a zero byte that is none of them.
    fn bytes_with_zero(&self) -> &[u8] {
        match self {
            Self::Fetched(fetched) => fetched.data_with_zero(),
            Self::Text(text) => text,
        }
    }
}

/// What is known of it in numbers; times are microseconds since the epoch, 0 where there is none.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) version: u64,
    pub(crate) size: u64,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) expires: u64,
    pub(crate) is_shared: bool,
    pub(crate) requires_purpose: bool,
    pub(crate) is_current: bool,
    pub(crate) uses_left: Option<u32>,
    pub(crate) attempts_left: Option<u32>,
    pub(crate) scopes: usize,
}

/// What every token has, in the order of [`Value::texts`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    Name,
    Owner,
    Class,
    ContentType,
    Permission,
    Grantee,
    Id,
    Kind,
    Subject,
    Audience,
    Issuer,
    Note,
}

/// How many there are before the scopes and the attributes.
const TEXTS: usize = Text::Note as usize + 1;

/// The texts that are known, and an empty one for each of the others.
fn texts<'a>(known: &[(Text, &'a str)]) -> [&'a str; TEXTS] {
    std::array::from_fn(|at| known.iter().find(|(which, _)| *which as usize == at).map_or("", |(_, text)| text))
}

impl Object for Value {
    const MARK: [u8; 8] = *b"tv value";
}

impl Value {
    pub(crate) fn with_data(fetched: Fetched) -> Result<Self, Failure> {
        let value = Self::without_data(fetched.info())?;
        Ok(Self { data: Some(Data::Fetched(Box::new(fetched))), ..value })
    }

    pub(crate) fn without_data(info: &TokenInfo) -> Result<Self, Failure> {
        let texts = texts(&[
            (Text::Name, &info.name),
            (Text::Owner, &info.owner),
            (Text::Class, &info.class),
            (Text::ContentType, &info.content_type),
            (Text::Permission, &info.permission),
            (Text::Note, info.note.as_deref().unwrap_or_default()),
        ]);
        let attributes = info.attributes.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
        let facts = Facts {
            version: info.version,
            size: info.size,
            created: info.created,
            updated: info.updated,
            expires: info.expires.unwrap_or(0),
            is_shared: info.shared,
            requires_purpose: info.require_purpose,
            ..Facts::default()
        };
        Ok(Self { data: None, facts, texts: Texts::collect(texts.into_iter().chain(attributes))? })
    }

    /// One version among those of the token `name`.
    pub(crate) fn of_version(name: &str, info: &VersionInfo) -> Result<Self, Failure> {
        let facts = Facts {
            version: info.version,
            size: info.size,
            created: info.created,
            expires: info.expires.unwrap_or(0),
            is_current: info.current,
            ..Facts::default()
        };
        let texts = texts(&[(Text::Name, name)]);
        Ok(Self { data: None, facts, texts: Texts::collect(texts.into_iter())? })
    }

    /// One share among those of the token `name`.
    pub(crate) fn of_share(name: &str, info: &ShareInfo) -> Result<Self, Failure> {
        let facts = Facts {
            created: info.created,
            expires: info.expires.unwrap_or(0),
            is_shared: true,
            uses_left: info.uses_left,
            ..Facts::default()
        };
        let texts = texts(&[
            (Text::Name, name),
            (Text::Permission, &info.permission),
            (Text::Grantee, &info.grantee),
            (Text::Note, info.note.as_deref().unwrap_or_default()),
        ]);
        Ok(Self { data: None, facts, texts: Texts::collect(texts.into_iter())? })
    }

    /// Something that was issued, as it is told.
    pub(crate) fn of_issued(info: &IssuedInfo) -> Result<Self, Failure> {
        let facts = Facts {
            created: info.issued,
            expires: info.expires,
            uses_left: info.uses_left,
            attempts_left: info.attempts_left,
            scopes: info.scopes.len(),
            ..Facts::default()
        };
        let texts = texts(&[
            (Text::Id, &info.id),
            (Text::Kind, &info.kind),
            (Text::Subject, &info.subject),
            (Text::Audience, &info.audience),
            (Text::Issuer, &info.issuer),
        ]);
        let claims = info.claims.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
        let scopes = info.scopes.iter().map(String::as_str);
        Ok(Self { data: None, facts, texts: Texts::collect(texts.into_iter().chain(scopes).chain(claims))? })
    }

    /// Something that was just issued: its text, and what names it.
    pub(crate) fn with_token(issued: Issued) -> Result<Self, Failure> {
        let facts = Facts { expires: issued.expires, ..Facts::default() };
        let texts = Texts::collect(texts(&[(Text::Id, &issued.id)]).into_iter())?;
        Ok(Self { data: Some(Data::of_text(&issued.token)?), facts, texts })
    }

    /// The code of an offer of the token `name`, and what names the offer.
    pub(crate) fn with_code(name: &str, code: &str, info: &OfferInfo) -> Result<Self, Failure> {
        let facts = Facts { expires: info.expires, attempts_left: Some(info.attempts_left), ..Facts::default() };
        let texts = Texts::collect(texts(&[(Text::Name, name), (Text::Id, &info.id)]).into_iter())?;
        Ok(Self { data: Some(Data::of_text(code)?), facts, texts })
    }

    pub(crate) fn text(&self, which: Text) -> *const c_char {
        self.texts.iter().nth(which as usize).map_or(ptr::null(), CStr::as_ptr)
    }

    /// One of the scopes.
    pub(crate) fn scope(&self, index: usize) -> Option<&CStr> {
        self.texts.iter().skip(TEXTS).take(self.facts.scopes).nth(index)
    }

    /// The attributes' keys and values, in turns.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &CStr> {
        self.texts.iter().skip(TEXTS + self.facts.scopes)
    }
}

/// Answers a question about a value; with `otherwise` when there is none.
///
/// # Safety
/// `value` is NULL or a value that was not freed.
pub(crate) unsafe fn ask<T: Copy>(value: *const Value, otherwise: T, question: impl FnOnce(&Value) -> T) -> T {
    // SAFETY: the caller's promise.
    let value = unsafe { handle::look(value) };
    answer(otherwise, || value.map_or(otherwise, question))
}

/// The value's bytes. A zero byte follows them, so that text can be taken for a string; a value may have zero bytes of its own:
/// tokenvault_value_len says where it ends. NULL when there is no value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_data(value: *const Value) -> *const c_void {
    let data = |value: &Value| value.data.as_ref().map_or(ptr::null(), |data| data.bytes_with_zero().as_ptr().cast());
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), data) }
}

/// How many bytes tokenvault_value_data points to; 0 when there is no value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_len(value: *const Value) -> usize {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| value.data.as_ref().map_or(0, |data| data.bytes_with_zero().len() - 1)) }
}

/// The number of the version, from 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_version(value: *const Value) -> u64 {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| value.facts.version) }
}

/// When the version expires, or what was issued, microseconds since the epoch; 0: never.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_expires(value: *const Value) -> u64 {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| value.facts.expires) }
}

/// One attribute, or of what was issued one claim; NULL when there is none of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_attribute(value: *const Value, key: *const c_char) -> *const c_char {
    if key.is_null() {
        return ptr::null();
    }
    // SAFETY: a string.
    let key = unsafe { CStr::from_ptr(key) };
    let find = |value: &Value| {
        let mut texts = value.attributes();
        while let (Some(candidate), Some(attribute)) = (texts.next(), texts.next()) {
            if candidate == key {
                return attribute.as_ptr();
            }
        }
        ptr::null()
    };
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), find) }
}

/// Wipes and frees. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_free(value: *mut Value) {
    // SAFETY: NULL or a value that was not freed.
    answer((), || unsafe { handle::take_back(value) });
}
