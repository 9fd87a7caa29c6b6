//! The C ABI as `include/tokenvault.h` has it, bound to the built library by the versions of its symbols.

use std::ffi::{CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use crate::program;

/// The version that programs are linked to.
const VERSION: &std::ffi::CStr = c"TOKENVAULT_0";

/// `tokenvault_client`.
pub(super) enum Client {}
/// `tokenvault_value`.
pub(super) enum Value {}
/// `tokenvault_list`.
pub(super) enum List {}
/// `tokenvault_info`.
pub(super) enum Info {}

type Text = *const c_char;
type Texts = *const Text;

/// An options structure as C lays it out; made with its own size and zeros.
macro_rules! options {
    ($($(#[$meta:meta])* struct $name:ident { $($field:ident: $ty:ty,)* })*) => {$(
        $(#[$meta])*
        #[repr(C)]
        #[derive(Debug)]
        pub(super) struct $name {
            pub(super) size: usize,
            $(pub(super) $field: $ty,)*
        }

        impl Default for $name {
            fn default() -> Self {
                // SAFETY: pointers and numbers, for which zeros are NULL and 0.
                let mut options: Self = unsafe { std::mem::zeroed() };
                options.size = size_of::<Self>();
                options
            }
        }
    )*};
}

options! {
    /// `tokenvault_get_options`.
    struct GetOptions { owner: Text, purpose: Text, app: Text, version: u64, }
    /// `tokenvault_put_options`.
    struct PutOptions {
        mode: Text, class: Text, content_type: Text, ttl: u64, expect_version: u64, attributes: Texts, owner: Text,
        expires: u64, keep_versions: u32, require_purpose: c_int,
    }
    /// `tokenvault_generate_options`.
    struct GenerateOptions {
        length: u64, charset: Text, prefix: Text, mode: Text, class: Text, content_type: Text, ttl: u64,
        expect_version: u64, attributes: Texts, owner: Text, expires: u64, keep_versions: u32, require_purpose: c_int,
    }
    /// `tokenvault_list_options`.
    struct ListOptions {
        prefix: Text, owner: Text, attributes: Texts, expires_before: u64, limit: u64, shared_with_me: c_int,
    }
    /// `tokenvault_token_options`.
    struct TokenOptions { owner: Text, }
    /// `tokenvault_annotate_options`.
    struct AnnotateOptions {
        owner: Text, attributes: Texts, content_type: Text, expires: u64, keep_versions: u32, require_purpose: c_int,
    }
    /// `tokenvault_delete_options`.
    struct DeleteOptions { owner: Text, version: u64, }
    /// `tokenvault_share_options`.
    struct ShareOptions { owner: Text, permission: Text, expires: u64, uses: u32, note: Text, }
    /// `tokenvault_offer_options`.
    struct OfferOptions { owner: Text, ttl: u64, attempts: u32, }
    /// `tokenvault_redeem_options`.
    struct RedeemOptions { purpose: Text, app: Text, }
    /// `tokenvault_issue_options`.
    struct IssueOptions {
        kind: Text, subject: Text, audience: Text, scopes: Texts, claims: Texts, ttl: u64, uses: u32, length: u32,
        attempts: u32,
    }
    /// `tokenvault_validate_options`.
    struct ValidateOptions { id: Text, audience: Text, scopes: Texts, consume: c_int, }
    /// `tokenvault_issued_options`.
    struct IssuedOptions { kind: Text, subject: Text, audience: Text, scopes: Texts, limit: u64, }
}

macro_rules! functions {
    ($(fn $name:ident($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the library.
        pub(super) struct Functions {
            $(pub(super) $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            fn of(library: *mut c_void) -> Self {
                Self {$(
                    // SAFETY: the symbol is a function, and of this type by the header.
                    $name: unsafe {
                        std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),*) $(-> $result)?>(
                            symbol(library, stringify!($name)),
                        )
                    },
                )*}
            }
        }
    };
}

functions! {
    fn tokenvault_client_open(Text, *mut *mut Client) -> c_int;
    fn tokenvault_client_close(*mut Client);
    fn tokenvault_client_error(*const Client) -> Text;
    fn tokenvault_get(*mut Client, Text, *const GetOptions, *mut *mut Value) -> c_int;
    fn tokenvault_put(*mut Client, Text, *const c_void, usize, *const PutOptions, *mut u64) -> c_int;
    fn tokenvault_generate(*mut Client, Text, *const GenerateOptions, *mut *mut Value) -> c_int;
    fn tokenvault_describe(*mut Client, Text, *const GetOptions, *mut *mut Value) -> c_int;
    fn tokenvault_list_tokens(*mut Client, *const ListOptions, *mut *mut List) -> c_int;
    fn tokenvault_list_versions(*mut Client, Text, *const TokenOptions, *mut *mut List) -> c_int;
    fn tokenvault_annotate(*mut Client, Text, *const AnnotateOptions) -> c_int;
    fn tokenvault_rename(*mut Client, Text, Text, *const TokenOptions) -> c_int;
    fn tokenvault_rollback(*mut Client, Text, u64, *const TokenOptions, *mut u64) -> c_int;
    fn tokenvault_delete(*mut Client, Text) -> c_int;
    fn tokenvault_delete_with(*mut Client, Text, *const DeleteOptions) -> c_int;
    fn tokenvault_share(*mut Client, Text, Text, *const ShareOptions) -> c_int;
    fn tokenvault_unshare(*mut Client, Text, Text) -> c_int;
    fn tokenvault_unshare_with(*mut Client, Text, Text, *const TokenOptions) -> c_int;
    fn tokenvault_list_shares(*mut Client, Text, *const TokenOptions, *mut *mut List) -> c_int;
    fn tokenvault_offer(*mut Client, Text, *const OfferOptions, *mut *mut Value) -> c_int;
    fn tokenvault_redeem(*mut Client, Text, *const RedeemOptions, *mut *mut Value) -> c_int;
    fn tokenvault_issue(*mut Client, *const IssueOptions, *mut *mut Value) -> c_int;
    fn tokenvault_validate(*mut Client, Text, *const ValidateOptions, *mut c_int) -> c_int;
    fn tokenvault_validate_claims(*mut Client, Text, *const ValidateOptions, *mut *mut Value) -> c_int;
    fn tokenvault_revoke(*mut Client, Text) -> c_int;
    fn tokenvault_revoke_all(*mut Client, *const IssuedOptions, *mut u64) -> c_int;
    fn tokenvault_list_issued(*mut Client, *const IssuedOptions, *mut *mut List) -> c_int;
    fn tokenvault_value_id(*const Value) -> Text;
    fn tokenvault_value_kind(*const Value) -> Text;
    fn tokenvault_value_subject(*const Value) -> Text;
    fn tokenvault_value_audience(*const Value) -> Text;
    fn tokenvault_value_issuer(*const Value) -> Text;
    fn tokenvault_value_scope_count(*const Value) -> usize;
    fn tokenvault_value_scope(*const Value, usize) -> Text;
    fn tokenvault_value_attempts_left(*const Value) -> i64;
    fn tokenvault_value_grantee(*const Value) -> Text;
    fn tokenvault_value_note(*const Value) -> Text;
    fn tokenvault_value_uses_left(*const Value) -> i64;
    fn tokenvault_status(*mut Client, *mut *mut Info) -> c_int;
    fn tokenvault_whoami(*mut Client, *mut *mut Info) -> c_int;
    fn tokenvault_value_data(*const Value) -> *const u8;
    fn tokenvault_value_len(*const Value) -> usize;
    fn tokenvault_value_version(*const Value) -> u64;
    fn tokenvault_value_expires(*const Value) -> u64;
    fn tokenvault_value_attribute(*const Value, Text) -> Text;
    fn tokenvault_value_free(*mut Value);
    fn tokenvault_value_name(*const Value) -> Text;
    fn tokenvault_value_owner(*const Value) -> Text;
    fn tokenvault_value_class(*const Value) -> Text;
    fn tokenvault_value_content_type(*const Value) -> Text;
    fn tokenvault_value_permission(*const Value) -> Text;
    fn tokenvault_value_size(*const Value) -> u64;
    fn tokenvault_value_created(*const Value) -> u64;
    fn tokenvault_value_updated(*const Value) -> u64;
    fn tokenvault_value_is_shared(*const Value) -> c_int;
    fn tokenvault_value_requires_purpose(*const Value) -> c_int;
    fn tokenvault_value_is_current(*const Value) -> c_int;
    fn tokenvault_value_attribute_count(*const Value) -> usize;
    fn tokenvault_value_attribute_key(*const Value, usize) -> Text;
    fn tokenvault_list_len(*const List) -> usize;
    fn tokenvault_list_value(*const List, usize) -> *const Value;
    fn tokenvault_list_free(*mut List);
    fn tokenvault_info_text(*const Info, Text) -> Text;
    fn tokenvault_info_number(*const Info, Text) -> u64;
    fn tokenvault_info_free(*mut Info);
}

/// The library, loaded once as the dynamic loader loads it for a program.
pub(super) fn functions() -> &'static Functions {
    static FUNCTIONS: OnceLock<Functions> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let path = CString::new(program::path("libtokenvault.so").as_os_str().as_bytes()).unwrap();
        // SAFETY: a string; what the library does when it is loaded is nothing.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!library.is_null(), "{path:?} cannot be loaded");
        Functions::of(library)
    })
}

fn symbol(library: *mut c_void, name: &str) -> *mut c_void {
    let text = CString::new(name).unwrap();
    // SAFETY: a library that is never closed, and strings.
    let symbol = unsafe { libc::dlvsym(library, text.as_ptr(), VERSION.as_ptr()) };
    assert!(!symbol.is_null(), "libtokenvault.so has no {name}@@TOKENVAULT_0");
    symbol
}
