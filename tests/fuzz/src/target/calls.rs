//! What a C program hands to libtokenvault: strings that are no text, structures of other sizes, lists that are too long, objects of
//! another kind. Each call is made as a program does that was compiled against the header, and answered as the vault would.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::ptr;

// Its functions go by their names in C.
use tokenvault_abi as _;
use tokenvault_proto::{IssuedInfo, OfferInfo, ShareInfo, Status, TokenInfo, VersionInfo, WhoAmI};
use zbus::wire::serialized::Context;
use zbus::wire::{Endian, to_bytes};

use crate::c::Field::{List, Long, Short, Text};
use crate::c::{Field, Memory};
use crate::dbus::{self, Answer, BEGIN, GREETING};
use crate::pretended::{pretend, read_call, read_until};

/// What is in the pipe of a value.
const VALUE: &[u8] = b"value";

type Object = *mut c_void;
type Chars = *const c_char;

unsafe extern "C" {
    fn tokenvault_client_open(address: Chars, client: *mut Object) -> c_int;
    fn tokenvault_client_close(client: Object);
    fn tokenvault_client_error(client: Object) -> Chars;
    fn tokenvault_strerror(code: c_int) -> Chars;
    fn tokenvault_get(client: Object, name: Chars, options: *const c_void, value: *mut Object) -> c_int;
    fn tokenvault_generate(client: Object, name: Chars, options: *const c_void, value: *mut Object) -> c_int;
    fn tokenvault_describe(client: Object, name: Chars, options: *const c_void, value: *mut Object) -> c_int;
    fn tokenvault_offer(client: Object, name: Chars, options: *const c_void, code: *mut Object) -> c_int;
    fn tokenvault_redeem(client: Object, code: Chars, options: *const c_void, value: *mut Object) -> c_int;
    fn tokenvault_validate_claims(client: Object, token: Chars, options: *const c_void, claims: *mut Object) -> c_int;
    fn tokenvault_issue(client: Object, options: *const c_void, token: *mut Object) -> c_int;
    fn tokenvault_list_tokens(client: Object, options: *const c_void, list: *mut Object) -> c_int;
    fn tokenvault_list_issued(client: Object, options: *const c_void, list: *mut Object) -> c_int;
    fn tokenvault_list_versions(client: Object, name: Chars, options: *const c_void, list: *mut Object) -> c_int;
    fn tokenvault_list_shares(client: Object, name: Chars, options: *const c_void, list: *mut Object) -> c_int;
    fn tokenvault_status(client: Object, info: *mut Object) -> c_int;
    fn tokenvault_whoami(client: Object, info: *mut Object) -> c_int;
    fn tokenvault_put(
        client: Object,
        name: Chars,
        data: *const c_void,
        len: usize,
        options: *const c_void,
        version: *mut u64,
    ) -> c_int;
    fn tokenvault_annotate(client: Object, name: Chars, options: *const c_void) -> c_int;
    fn tokenvault_rename(client: Object, name: Chars, new: Chars, options: *const c_void) -> c_int;
    fn tokenvault_rollback(client: Object, name: Chars, version: u64, options: *const c_void, new: *mut u64) -> c_int;
    fn tokenvault_delete_with(client: Object, name: Chars, options: *const c_void) -> c_int;
    fn tokenvault_share(client: Object, name: Chars, grantee: Chars, options: *const c_void) -> c_int;
    fn tokenvault_unshare_with(client: Object, name: Chars, grantee: Chars, options: *const c_void) -> c_int;
    fn tokenvault_validate(client: Object, token: Chars, options: *const c_void, valid: *mut c_int) -> c_int;
    fn tokenvault_revoke(client: Object, id: Chars) -> c_int;
    fn tokenvault_revoke_all(client: Object, options: *const c_void, count: *mut u64) -> c_int;
    fn tokenvault_value_free(value: Object);
    fn tokenvault_value_data(value: Object) -> *const c_void;
    fn tokenvault_value_len(value: Object) -> usize;
    fn tokenvault_value_name(value: Object) -> Chars;
    fn tokenvault_value_owner(value: Object) -> Chars;
    fn tokenvault_value_class(value: Object) -> Chars;
    fn tokenvault_value_content_type(value: Object) -> Chars;
    fn tokenvault_value_permission(value: Object) -> Chars;
    fn tokenvault_value_grantee(value: Object) -> Chars;
    fn tokenvault_value_note(value: Object) -> Chars;
    fn tokenvault_value_id(value: Object) -> Chars;
    fn tokenvault_value_kind(value: Object) -> Chars;
    fn tokenvault_value_subject(value: Object) -> Chars;
    fn tokenvault_value_audience(value: Object) -> Chars;
    fn tokenvault_value_issuer(value: Object) -> Chars;
    fn tokenvault_value_scope_count(value: Object) -> usize;
    fn tokenvault_value_scope(value: Object, index: usize) -> Chars;
    fn tokenvault_value_attribute_count(value: Object) -> usize;
    fn tokenvault_value_attribute_key(value: Object, index: usize) -> Chars;
    fn tokenvault_value_attribute(value: Object, key: Chars) -> Chars;
    fn tokenvault_list_free(list: Object);
    fn tokenvault_list_len(list: Object) -> usize;
    fn tokenvault_list_name(list: Object, index: usize) -> Chars;
    fn tokenvault_list_value(list: Object, index: usize) -> Object;
    fn tokenvault_info_free(info: Object);
    fn tokenvault_info_text(info: Object, key: Chars) -> Chars;
    fn tokenvault_info_number(info: Object, key: Chars) -> u64;
}

/// Answers that a value has, whatever it is of.
const TEXTS: [unsafe extern "C" fn(Object) -> Chars; 12] = [
    tokenvault_value_name,
    tokenvault_value_owner,
    tokenvault_value_class,
    tokenvault_value_content_type,
    tokenvault_value_permission,
    tokenvault_value_grantee,
    tokenvault_value_note,
    tokenvault_value_id,
    tokenvault_value_kind,
    tokenvault_value_subject,
    tokenvault_value_audience,
    tokenvault_value_issuer,
];

/// A function, the fields of its options behind the size, and the form of its answer.
type Method<F> = (F, &'static [Field], Reply);
/// One that takes a name and gives an object.
type Named = unsafe extern "C" fn(Object, Chars, *const c_void, *mut Object) -> c_int;
/// One that gives an object for options alone.
type Unnamed = unsafe extern "C" fn(Object, *const c_void, *mut Object) -> c_int;

const GET: &[Field] = &[Text, Text, Text, Long];
const PUT: &[Field] = &[Text, Text, Text, Long, Long, List, Text, Long, Short, Short];
const GENERATE: &[Field] = &[Long, Text, Text, Text, Text, Text, Long, Long, List, Text, Long, Short, Short];
const LIST: &[Field] = &[Text, Text, List, Long, Long, Short];
const TOKEN: &[Field] = &[Text];
const ANNOTATE: &[Field] = &[Text, List, Text, Long, Short, Short];
const DELETE: &[Field] = &[Text, Long];
const SHARE: &[Field] = &[Text, Text, Long, Short, Text];
const OFFER: &[Field] = &[Text, Long, Short];
const REDEEM: &[Field] = &[Text, Text];
const ISSUE: &[Field] = &[Text, Text, Text, List, List, Long, Short, Short, Short];
const VALIDATE: &[Field] = &[Text, Text, List, Short];
const ISSUED: &[Field] = &[Text, Text, Text, List, Long];

const VALUES: [Method<Named>; 6] = [
    (tokenvault_get, GET, Reply::Value),
    (tokenvault_generate, GENERATE, Reply::Value),
    (tokenvault_describe, GET, Reply::Token),
    (tokenvault_offer, OFFER, Reply::Offer),
    (tokenvault_redeem, REDEEM, Reply::Value),
    (tokenvault_validate_claims, VALIDATE, Reply::Claims),
];
const LISTS_OF_ONE: [Method<Named>; 2] =
    [(tokenvault_list_versions, TOKEN, Reply::Versions), (tokenvault_list_shares, TOKEN, Reply::Shares)];
const LISTS: [Method<Unnamed>; 2] =
    [(tokenvault_list_tokens, LIST, Reply::Tokens), (tokenvault_list_issued, ISSUED, Reply::Issued)];
const METHODS: u8 = 22;

/// What is answered where the call is taken.
#[derive(Clone, Copy)]
enum Reply {
    Nothing,
    Number,
    Value,
    Token,
    Tokens,
    Versions,
    Shares,
    Offer,
    Code,
    Claims,
    Issued,
    Status,
    WhoAmI,
}

impl Reply {
    /// Types and arguments.
    fn arguments(self) -> (&'static [u8], Vec<u8>) {
        let context = Context::new(Endian::Little, 0);
        let attributes = BTreeMap::from([("env".to_owned(), "prod".to_owned()), (String::new(), "é".to_owned())]);
        let token = TokenInfo { name: "a".into(), size: VALUE.len() as u64, attributes, ..TokenInfo::default() };
        let issued = IssuedInfo { id: "id".into(), scopes: vec!["read".into()], ..IssuedInfo::default() };
        macro_rules! body {
            ($arguments:expr) => {
                to_bytes(context, $arguments).expect("it can be written").to_vec()
            };
        }
        match self {
            Self::Nothing => (b"", Vec::new()),
            Self::Number => (b"t", body!(&7_u64)),
            Self::Value => (b"ha{sv}", body!(&(0_u32, token))),
            Self::Token => (b"a{sv}", body!(&token)),
            Self::Tokens => (b"aa{sv}s", body!(&(vec![token.clone(), token], ""))),
            Self::Versions => (b"aa{sv}", body!(&vec![VersionInfo::default(), VersionInfo::default()])),
            Self::Shares => (b"aa{sv}", body!(&vec![ShareInfo::default()])),
            Self::Offer => (b"sa{sv}", body!(&("code", OfferInfo::default()))),
            Self::Code => (b"sst", body!(&("token", "id", 7_u64))),
            Self::Claims => (b"ba{sv}", body!(&(true, issued))),
            Self::Issued => (b"aa{sv}s", body!(&(vec![issued], ""))),
            Self::Status => (b"a{sv}", body!(&Status::default())),
            Self::WhoAmI => (b"a{sv}", body!(&WhoAmI::default())),
        }
    }
}

/// Answers all calls of whoever comes: as the vault would, with an error, or not at all.
fn serve(peer: &mut UnixStream, reply: Reply, form: u8) -> Option<()> {
    peer.write_all(GREETING).ok()?;
    let mut read = read_until(peer, BEGIN, 0)?;
    loop {
        let serial = read_call(peer, std::mem::take(&mut read))?;
        let (signature, arguments) = reply.arguments();
        match form % 4 {
            0 => return None,
            1 => peer.write_all(&dbus::reply(serial, Answer::Error, b"\x02\0\0\0no\0")).ok()?,
            _ => {
                let fds = u32::from(signature.starts_with(b"h"));
                let message = dbus::reply(serial, Answer::Return(signature, fds), &arguments);
                let sent = dbus::send(&*peer, &message, &dbus::pipes(fds as usize, VALUE)).ok()?;
                peer.write_all(&message[sent..]).ok()?;
            }
        }
    }
}

/// The text of what the library says; none for NULL.
fn said(text: Chars) -> Option<&'static str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the library's strings end with a zero byte, and are looked at before the next call.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_str().expect("it says no text"))
}

/// What a call is made with.
struct Program<'a> {
    memory: Memory<'a>,
    client: Object,
}

impl Program<'_> {
    /// Calls what gives an object: it is there when the call went well, and then alone.
    fn given(&mut self, call: impl FnOnce(Object, *mut Object) -> c_int, look: fn(Object)) -> c_int {
        let mut object = ptr::null_mut();
        let into = if self.memory.byte() == 1 { ptr::null_mut() } else { &raw mut object };
        let code = call(self.client, into);
        assert_eq!(code == 0, !object.is_null(), "what is given out and what is said");
        look(object);
        code
    }

    fn named(&mut self, (function, fields, _): Method<Named>, look: fn(Object)) -> c_int {
        let (name, options) = (self.memory.text(), self.memory.options(fields));
        // SAFETY: strings and structures are as the header asks for them, and live on.
        self.given(|client, object| unsafe { function(client, name, options, object) }, look)
    }

    fn unnamed(&mut self, (function, fields, _): Method<Unnamed>, look: fn(Object)) -> c_int {
        let options = self.memory.options(fields);
        // SAFETY: as above.
        self.given(|client, object| unsafe { function(client, options, object) }, look)
    }

    /// Makes the call with this number.
    fn call(&mut self, number: u8) -> c_int {
        let client = self.client;
        let memory = &mut self.memory;
        let mut version = 0;
        match number {
            0..6 => self.named(VALUES[usize::from(number)], look_at_value),
            6 | 7 => self.named(LISTS_OF_ONE[usize::from(number) - 6], look_at_list),
            8 | 9 => self.unnamed(LISTS[usize::from(number) - 8], look_at_list),
            10 => self.unnamed((tokenvault_issue, ISSUE, Reply::Code), look_at_value),
            // SAFETY: a place for the answer alone.
            11 => self.given(|client, info| unsafe { tokenvault_status(client, info) }, look_at_info),
            // SAFETY: as above.
            12 => self.given(|client, info| unsafe { tokenvault_whoami(client, info) }, look_at_info),
            13 => {
                let (name, options, len) = (memory.text(), memory.options(PUT), memory.byte());
                let data = memory.bytes(len.into());
                let (data, len) = match len {
                    255 => (data.as_ptr(), usize::MAX),
                    254 => (ptr::null(), data.len()),
                    _ => (data.as_ptr(), data.len()),
                };
                // SAFETY: as many bytes as it says, or more than are ever read.
                unsafe { tokenvault_put(client, name, data.cast(), len, options, &raw mut version) }
            }
            14 => {
                let (name, options) = (memory.text(), memory.options(ANNOTATE));
                // SAFETY: as above.
                unsafe { tokenvault_annotate(client, name, options) }
            }
            15 => {
                let (name, new, options) = (memory.text(), memory.text(), memory.options(TOKEN));
                // SAFETY: as above.
                unsafe { tokenvault_rename(client, name, new, options) }
            }
            16 => {
                let (name, to, options) = (memory.text(), memory.byte(), memory.options(TOKEN));
                // SAFETY: as above.
                unsafe { tokenvault_rollback(client, name, to.into(), options, &raw mut version) }
            }
            17 => {
                let (name, options) = (memory.text(), memory.options(DELETE));
                // SAFETY: as above.
                unsafe { tokenvault_delete_with(client, name, options) }
            }
            18 => {
                let (name, grantee, options) = (memory.text(), memory.text(), memory.options(SHARE));
                // SAFETY: as above.
                unsafe { tokenvault_share(client, name, grantee, options) }
            }
            19 => {
                let (name, grantee, options) = (memory.text(), memory.text(), memory.options(TOKEN));
                // SAFETY: as above.
                unsafe { tokenvault_unshare_with(client, name, grantee, options) }
            }
            20 => {
                let (token, options, mut valid) = (memory.text(), memory.options(VALIDATE), 0);
                // SAFETY: as above.
                unsafe { tokenvault_validate(client, token, options, &raw mut valid) }
            }
            _ => {
                let (id, options) = (memory.text(), memory.options(ISSUED));
                if options.is_null() {
                    // SAFETY: as above.
                    return unsafe { tokenvault_revoke(client, id) };
                }
                // SAFETY: as above.
                unsafe { tokenvault_revoke_all(client, options, &raw mut version) }
            }
        }
    }
}

fn reply_to(number: u8) -> Reply {
    match number {
        0..6 => VALUES[usize::from(number)].2,
        6 | 7 => LISTS_OF_ONE[usize::from(number) - 6].2,
        8 | 9 => LISTS[usize::from(number) - 8].2,
        10 => Reply::Code,
        11 => Reply::Status,
        12 => Reply::WhoAmI,
        13 | 16 | 21 => Reply::Number,
        20 => Reply::Claims,
        _ => Reply::Nothing,
    }
}

/// Reads all that a value has; of another object, or none, it has nothing.
fn read_value(value: Object) {
    for text in TEXTS {
        // SAFETY: an object of the library's, or NULL.
        said(unsafe { text(value) });
    }
    // SAFETY: as above.
    let data = unsafe { tokenvault_value_data(value) };
    // SAFETY: as above.
    let len = unsafe { tokenvault_value_len(value) };
    assert!(len == 0 || !data.is_null(), "{len} bytes nowhere");
    // SAFETY: as above.
    let scopes = unsafe { tokenvault_value_scope_count(value) };
    for at in 0..=scopes {
        // SAFETY: as above; one behind the last is none.
        assert_eq!(said(unsafe { tokenvault_value_scope(value, at) }).is_some(), at < scopes);
    }
    // SAFETY: as above.
    let attributes = unsafe { tokenvault_value_attribute_count(value) };
    for at in 0..=attributes {
        // SAFETY: as above.
        let key = unsafe { tokenvault_value_attribute_key(value, at) };
        assert_eq!(said(key).is_some(), at < attributes);
        // SAFETY: a string of the library's, or NULL.
        said(unsafe { tokenvault_value_attribute(value, key) });
    }
}

fn look_at_value(value: Object) {
    read_value(value);
    look_as_another(value);
    // SAFETY: it was given out and is used no more.
    unsafe { tokenvault_value_free(value) };
}

fn look_at_list(list: Object) {
    // SAFETY: a list of the library's, or NULL.
    let len = unsafe { tokenvault_list_len(list) };
    for at in 0..=len {
        // SAFETY: as above.
        said(unsafe { tokenvault_list_name(list, at) });
        // SAFETY: as above.
        let value = unsafe { tokenvault_list_value(list, at) };
        assert_eq!(value.is_null(), at >= len);
        read_value(value);
    }
    look_as_another(list);
    // SAFETY: it was given out and is used no more.
    unsafe { tokenvault_list_free(list) };
}

fn look_at_info(info: Object) {
    for key in [c"state".as_ptr(), c"tokens".as_ptr(), c"\xff".as_ptr(), ptr::null()] {
        // SAFETY: strings, or NULL.
        said(unsafe { tokenvault_info_text(info, key) });
        // SAFETY: as above.
        unsafe { tokenvault_info_number(info, key) };
    }
    look_as_another(info);
    // SAFETY: it was given out and is used no more.
    unsafe { tokenvault_info_free(info) };
}

/// An object is nothing for the functions of another kind.
fn look_as_another(object: Object) {
    // SAFETY: an object of the library's, or NULL: it tells by their mark which it is.
    assert!(!unsafe { tokenvault_client_error(object) }.is_null());
    // SAFETY: as above.
    let refused = unsafe { tokenvault_revoke(object, c"id".as_ptr()) };
    assert_ne!(refused, 0, "a client that is none");
}

/// The first byte says which call is made, the second how it is answered, the rest with what it is made.
pub fn run(data: &[u8]) {
    let [number, form, rest @ ..] = data else { return };
    let number = number % METHODS;
    let answer = |peer: &mut UnixStream| {
        let _gone = serve(peer, reply_to(number), *form);
    };
    pretend(answer, |path| {
        let address = [b"unix:path=", path.as_os_str().as_bytes()].concat();
        let address = CString::new(address).expect("a path has no zero byte");
        let mut client = ptr::null_mut();
        // SAFETY: a string, and a place for a client.
        let opened = unsafe { tokenvault_client_open(address.as_ptr(), &raw mut client) };
        assert_eq!(opened == 0, !client.is_null());
        let mut program = Program { memory: Memory::of(rest), client };
        let code = program.call(number);
        // SAFETY: any number has a text.
        assert!(said(unsafe { tokenvault_strerror(code) }).is_some_and(|text| !text.is_empty()), "{code}");
        // SAFETY: an open client, or NULL.
        let text = said(unsafe { tokenvault_client_error(client) });
        assert!(code == 0 || text.is_some_and(|text| !text.is_empty() && !text.contains('\n')), "{code}: {text:?}");
        // SAFETY: it is used no more.
        unsafe { tokenvault_client_close(client) };
    });
}
