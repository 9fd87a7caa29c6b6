//! Options of the contract as a C program gives them. What C cannot say (a zero that does not mean default) is none of its
//! cases.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int};
use std::ptr;

use tokenvault_proto as proto;

use super::abi;

/// Strings and lists of strings that C reads during a call.
#[derive(Default)]
pub(super) struct Memory {
    texts: Vec<CString>,
    lists: Vec<Vec<*const c_char>>,
}

impl Memory {
    pub(super) fn text(&mut self, text: &str) -> *const c_char {
        self.texts.push(CString::new(text).expect("no string of C"));
        self.texts.last().map_or(ptr::null(), |text| text.as_ptr())
    }

    fn optional(&mut self, text: Option<&String>) -> *const c_char {
        text.map_or(ptr::null(), |text| self.text(text))
    }

    fn attributes(&mut self, attributes: Option<&BTreeMap<String, String>>) -> *const *const c_char {
        let Some(attributes) = attributes else { return ptr::null() };
        let mut list: Vec<_> = attributes.iter().flat_map(|(key, value)| [self.text(key), self.text(value)]).collect();
        list.push(ptr::null());
        self.lists.push(list);
        self.lists.last().map_or(ptr::null(), |list| list.as_ptr())
    }

    fn list_of(&mut self, texts: Option<&Vec<String>>) -> *const *const c_char {
        let Some(texts) = texts else { return ptr::null() };
        let mut list: Vec<_> = texts.iter().map(|text| self.text(text)).collect();
        list.push(ptr::null());
        self.lists.push(list);
        self.lists.last().map_or(ptr::null(), |list| list.as_ptr())
    }

    pub(super) fn get(&mut self, options: &proto::GetOptions) -> abi::GetOptions {
        abi::GetOptions {
            owner: self.optional(options.owner.as_ref()),
            purpose: self.optional(options.purpose.as_ref()),
            app: self.optional(options.app.as_ref()),
            version: number(options.version),
            ..abi::GetOptions::default()
        }
    }

    pub(super) fn describe(&mut self, options: &proto::DescribeOptions) -> abi::GetOptions {
        abi::GetOptions { owner: self.optional(options.owner.as_ref()), ..abi::GetOptions::default() }
    }

    pub(super) fn token(&mut self, options: &proto::DescribeOptions) -> abi::TokenOptions {
        abi::TokenOptions { owner: self.optional(options.owner.as_ref()), ..abi::TokenOptions::default() }
    }

    pub(super) fn put(&mut self, options: &proto::PutOptions) -> abi::PutOptions {
        abi::PutOptions {
            mode: self.optional(options.mode.as_ref()),
            class: self.optional(options.class.as_ref()),
            content_type: self.optional(options.content_type.as_ref()),
            ttl: number(options.ttl),
            expect_version: number(options.expect_version),
            attributes: self.attributes(options.attributes.as_ref()),
            owner: self.optional(options.owner.as_ref()),
            expires: number(options.expires),
            keep_versions: number(options.keep_versions),
            require_purpose: yes_or_no(options.require_purpose),
            ..abi::PutOptions::default()
        }
    }

    pub(super) fn generate(&mut self, options: &proto::GenerateOptions) -> abi::GenerateOptions {
        let put = self.put(&options.put());
        abi::GenerateOptions {
            length: number(options.length).into(),
            charset: self.optional(options.charset.as_ref()),
            prefix: self.optional(options.prefix.as_ref()),
            mode: put.mode,
            class: put.class,
            content_type: put.content_type,
            ttl: put.ttl,
            expect_version: put.expect_version,
            attributes: put.attributes,
            owner: put.owner,
            expires: put.expires,
            keep_versions: put.keep_versions,
            require_purpose: put.require_purpose,
            ..abi::GenerateOptions::default()
        }
    }

    pub(super) fn list(&mut self, options: &proto::ListOptions) -> abi::ListOptions {
        assert!(options.after.is_none(), "the C library has no pages");
        abi::ListOptions {
            prefix: self.optional(options.prefix.as_ref()),
            owner: self.optional(options.owner.as_ref()),
            attributes: self.attributes(options.attributes.as_ref()),
            expires_before: number(options.expires_before),
            limit: number(options.limit).into(),
            shared_with_me: yes_or_no(options.shared_with_me),
            ..abi::ListOptions::default()
        }
    }

    pub(super) fn annotate(&mut self, options: &proto::AnnotateOptions) -> abi::AnnotateOptions {
        abi::AnnotateOptions {
            owner: self.optional(options.owner.as_ref()),
            attributes: self.attributes(options.attributes.as_ref()),
            content_type: self.optional(options.content_type.as_ref()),
            expires: if options.expires == Some(0) { u64::MAX } else { number(options.expires) },
            keep_versions: number(options.keep_versions),
            require_purpose: yes_or_no(options.require_purpose),
            ..abi::AnnotateOptions::default()
        }
    }

    pub(super) fn share(&mut self, options: &proto::ShareOptions) -> abi::ShareOptions {
        abi::ShareOptions {
            owner: self.optional(options.owner.as_ref()),
            permission: self.optional(options.permission.as_ref()),
            expires: number(options.expires),
            uses: number(options.uses),
            note: self.optional(options.note.as_ref()),
            ..abi::ShareOptions::default()
        }
    }

    pub(super) fn offer(&mut self, options: &proto::OfferOptions) -> abi::OfferOptions {
        abi::OfferOptions {
            owner: self.optional(options.owner.as_ref()),
            ttl: number(options.ttl),
            attempts: number(options.attempts),
            ..abi::OfferOptions::default()
        }
    }

    pub(super) fn redeem(&mut self, options: &proto::RedeemOptions) -> abi::RedeemOptions {
        abi::RedeemOptions {
            purpose: self.optional(options.purpose.as_ref()),
            app: self.optional(options.app.as_ref()),
            ..abi::RedeemOptions::default()
        }
    }

    pub(super) fn issue(&mut self, options: &proto::IssueOptions) -> abi::IssueOptions {
        abi::IssueOptions {
            kind: self.optional(options.kind.as_ref()),
            subject: self.optional(options.subject.as_ref()),
            audience: self.optional(options.audience.as_ref()),
            scopes: self.list_of(options.scopes.as_ref()),
            claims: self.attributes(options.claims.as_ref()),
            ttl: number(options.ttl),
            uses: number(options.uses),
            length: number(options.length),
            attempts: number(options.attempts),
            ..abi::IssueOptions::default()
        }
    }

    pub(super) fn validate(&mut self, options: &proto::ValidateOptions) -> abi::ValidateOptions {
        abi::ValidateOptions {
            id: self.optional(options.id.as_ref()),
            audience: self.optional(options.audience.as_ref()),
            scopes: self.list_of(options.scopes.as_ref()),
            consume: yes_or_no(options.consume),
            ..abi::ValidateOptions::default()
        }
    }

    pub(super) fn revoke_all(&mut self, filter: &proto::RevokeAllOptions) -> abi::IssuedOptions {
        abi::IssuedOptions {
            kind: self.optional(filter.kind.as_ref()),
            subject: self.optional(filter.subject.as_ref()),
            audience: self.optional(filter.audience.as_ref()),
            scopes: self.list_of(filter.scopes.as_ref()),
            ..abi::IssuedOptions::default()
        }
    }

    pub(super) fn issued(&mut self, options: &proto::IssuedOptions) -> abi::IssuedOptions {
        assert!(options.after.is_none(), "the C library has no pages");
        abi::IssuedOptions { limit: number(options.limit).into(), ..self.revoke_all(&options.filter()) }
    }

    pub(super) fn delete(&mut self, options: &proto::DeleteOptions) -> abi::DeleteOptions {
        abi::DeleteOptions {
            owner: self.optional(options.owner.as_ref()),
            version: number(options.version),
            ..abi::DeleteOptions::default()
        }
    }
}

/// A number, 0 when there is none.
fn number<T: Copy + Default + PartialEq>(value: Option<T>) -> T {
    assert!(value != Some(T::default()), "0 is the default in C");
    value.unwrap_or_default()
}

fn yes_or_no(value: Option<bool>) -> c_int {
    match value {
        None => 0,
        Some(true) => 1,
        Some(false) => -1,
    }
}
