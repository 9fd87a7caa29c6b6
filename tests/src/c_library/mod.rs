//! A client that goes through libtokenvault: the built library, by the functions of its header and nothing else.
//!
//! Its methods are those of the Rust client, so that one case of a suite can be put to both. One of the two modules of this
//! crate with `unsafe` in it; the other is `sys`.

/// Calls a function of the library.
macro_rules! c {
    ($function:ident($($argument:expr),*)) => {
        // SAFETY: what the header asks for: open clients, strings, options with their size, places for outputs, objects
        // that were not freed.
        unsafe { (abi::functions().$function)($($argument),*) }
    };
}

mod abi;
mod options;
mod read;

use std::ffi::c_int;
use std::{fmt, ptr};

use options::Memory;
pub use read::Value;
use read::{fact, number, share_info, take_rows, take_value, text, token_info, version_info};
use tokenvault_proto::{
    AnnotateOptions, DeleteOptions, DescribeOptions, ErrorCode, GenerateOptions, GetOptions, ListOptions, PutOptions,
    ShareInfo, ShareOptions, Status, TokenInfo, VersionInfo, WhoAmI,
};

mod issued;

/// Why a call failed: the number it returned, and what `tokenvault_client_error` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    code: ErrorCode,
    text: String,
}

impl Error {
    /// The row of the contract's table.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A `tokenvault_client`.
#[derive(Debug)]
pub struct Client(*mut abi::Client);

// SAFETY: the header says that threads may share a client.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// Opens a client at an address, as C gives it.
    ///
    /// # Errors
    /// The library's.
    pub fn open(address: &str) -> Result<Self, Error> {
        let mut client = ptr::null_mut();
        check(ptr::null(), c!(tokenvault_client_open(Memory::default().text(address), &raw mut client)))?;
        Ok(Self(client))
    }

    /// `tokenvault_get`.
    ///
    /// # Errors
    /// The library's.
    pub fn get(&self, name: &str, options: &GetOptions) -> Result<Value, Error> {
        let (mut memory, mut value) = (Memory::default(), ptr::null_mut());
        let (name, options) = (memory.text(name), memory.get(options));
        self.check(c!(tokenvault_get(self.0, name, &raw const options, &raw mut value)))?;
        Ok(take_value(value))
    }

    /// `tokenvault_put`.
    ///
    /// # Errors
    /// The library's.
    pub fn put(&self, name: &str, value: &[u8], options: &PutOptions) -> Result<u64, Error> {
        let (mut memory, mut version) = (Memory::default(), 0);
        let (name, options) = (memory.text(name), memory.put(options));
        let (data, len) = (value.as_ptr().cast(), value.len());
        self.check(c!(tokenvault_put(self.0, name, data, len, &raw const options, &raw mut version)))?;
        Ok(version)
    }

    /// `tokenvault_generate`.
    ///
    /// # Errors
    /// The library's.
    pub fn generate(&self, name: &str, options: &GenerateOptions) -> Result<Value, Error> {
        let (mut memory, mut value) = (Memory::default(), ptr::null_mut());
        let (name, options) = (memory.text(name), memory.generate(options));
        self.check(c!(tokenvault_generate(self.0, name, &raw const options, &raw mut value)))?;
        Ok(take_value(value))
    }

    /// `tokenvault_describe`.
    ///
    /// # Errors
    /// The library's.
    pub fn describe(&self, name: &str, options: &DescribeOptions) -> Result<TokenInfo, Error> {
        let (mut memory, mut value) = (Memory::default(), ptr::null_mut());
        let (name, options) = (memory.text(name), memory.describe(options));
        self.check(c!(tokenvault_describe(self.0, name, &raw const options, &raw mut value)))?;
        Ok(take_value(value).info().clone())
    }

    /// `tokenvault_list_tokens`; all of them, so that there is no next page.
    ///
    /// # Errors
    /// The library's.
    pub fn list(&self, options: &ListOptions) -> Result<(Vec<TokenInfo>, String), Error> {
        let (mut memory, mut list) = (Memory::default(), ptr::null_mut());
        let options = memory.list(options);
        self.check(c!(tokenvault_list_tokens(self.0, &raw const options, &raw mut list)))?;
        Ok((take_rows(list, token_info), String::new()))
    }

    /// `tokenvault_list_versions`.
    ///
    /// # Errors
    /// The library's.
    pub fn versions(&self, name: &str, options: &DescribeOptions) -> Result<Vec<VersionInfo>, Error> {
        let (mut memory, mut list) = (Memory::default(), ptr::null_mut());
        let (name, options) = (memory.text(name), memory.token(options));
        self.check(c!(tokenvault_list_versions(self.0, name, &raw const options, &raw mut list)))?;
        Ok(take_rows(list, version_info))
    }

    /// `tokenvault_annotate`.
    ///
    /// # Errors
    /// The library's.
    pub fn annotate(&self, name: &str, options: &AnnotateOptions) -> Result<(), Error> {
        let mut memory = Memory::default();
        let (name, options) = (memory.text(name), memory.annotate(options));
        self.check(c!(tokenvault_annotate(self.0, name, &raw const options)))
    }

    /// `tokenvault_rename`.
    ///
    /// # Errors
    /// The library's.
    pub fn rename(&self, from: &str, to: &str, options: &DescribeOptions) -> Result<(), Error> {
        let mut memory = Memory::default();
        let (from, to, options) = (memory.text(from), memory.text(to), memory.token(options));
        self.check(c!(tokenvault_rename(self.0, from, to, &raw const options)))
    }

    /// `tokenvault_rollback`.
    ///
    /// # Errors
    /// The library's.
    pub fn rollback(&self, name: &str, version: u64, options: &DescribeOptions) -> Result<u64, Error> {
        let (mut memory, mut new_version) = (Memory::default(), 0);
        let (name, options) = (memory.text(name), memory.token(options));
        self.check(c!(tokenvault_rollback(self.0, name, version, &raw const options, &raw mut new_version)))?;
        Ok(new_version)
    }

    /// `tokenvault_delete`, and with options `tokenvault_delete_with`.
    ///
    /// # Errors
    /// The library's.
    pub fn delete(&self, name: &str, options: &DeleteOptions) -> Result<(), Error> {
        let mut memory = Memory::default();
        if *options == DeleteOptions::default() {
            return self.check(c!(tokenvault_delete(self.0, memory.text(name))));
        }
        let (name, options) = (memory.text(name), memory.delete(options));
        self.check(c!(tokenvault_delete_with(self.0, name, &raw const options)))
    }

    /// `tokenvault_share`.
    ///
    /// # Errors
    /// The library's.
    pub fn share(&self, name: &str, grantee: &str, options: &ShareOptions) -> Result<(), Error> {
        let mut memory = Memory::default();
        let (name, grantee, options) = (memory.text(name), memory.text(grantee), memory.share(options));
        self.check(c!(tokenvault_share(self.0, name, grantee, &raw const options)))
    }

    /// `tokenvault_unshare`, and with options `tokenvault_unshare_with`.
    ///
    /// # Errors
    /// The library's.
    pub fn unshare(&self, name: &str, grantee: &str, options: &DescribeOptions) -> Result<(), Error> {
        let mut memory = Memory::default();
        let (name, grantee) = (memory.text(name), memory.text(grantee));
        if *options == DescribeOptions::default() {
            return self.check(c!(tokenvault_unshare(self.0, name, grantee)));
        }
        let options = memory.token(options);
        self.check(c!(tokenvault_unshare_with(self.0, name, grantee, &raw const options)))
    }

    /// `tokenvault_list_shares`.
    ///
    /// # Errors
    /// The library's.
    pub fn shares(&self, name: &str, options: &DescribeOptions) -> Result<Vec<ShareInfo>, Error> {
        let (mut memory, mut list) = (Memory::default(), ptr::null_mut());
        let (name, options) = (memory.text(name), memory.token(options));
        self.check(c!(tokenvault_list_shares(self.0, name, &raw const options, &raw mut list)))?;
        Ok(take_rows(list, share_info))
    }

    /// `tokenvault_status`.
    ///
    /// # Errors
    /// The library's.
    pub fn status(&self) -> Result<Status, Error> {
        let mut info = ptr::null_mut();
        self.check(c!(tokenvault_status(self.0, &raw mut info)))?;
        let status = Status {
            state: fact(info, c"state"),
            reason: fact(info, c"reason"),
            protection: fact(info, c"protection"),
            vault_id: fact(info, c"vault-id"),
            recovery_confirmed: number(info, c"recovery-confirmed") == 1,
            lockdown: number(info, c"lockdown") == 1,
            anchor: fact(info, c"anchor"),
            anchor_raises: number(info, c"anchor-raises"),
            disk_theft: fact(info, c"disk-theft"),
            machine_theft: fact(info, c"machine-theft"),
            tokens: number(info, c"tokens"),
            bytes: number(info, c"bytes"),
            quota_tokens: number(info, c"quota-tokens"),
            quota_bytes: number(info, c"quota-bytes"),
            next_step: fact(info, c"next-step"),
        };
        c!(tokenvault_info_free(info));
        Ok(status)
    }

    /// `tokenvault_whoami`.
    ///
    /// # Errors
    /// The library's.
    pub fn who_am_i(&self) -> Result<WhoAmI, Error> {
        let mut info = ptr::null_mut();
        self.check(c!(tokenvault_whoami(self.0, &raw mut info)))?;
        let me = WhoAmI {
            uid: number(info, c"uid").try_into().unwrap(),
            user: fact(info, c"user"),
            role: fact(info, c"role"),
            door: fact(info, c"door"),
            active: number(info, c"active") == 1,
            login_unlocked: number(info, c"login-unlocked") == 1,
        };
        c!(tokenvault_info_free(info));
        Ok(me)
    }

    fn check(&self, code: c_int) -> Result<(), Error> {
        check(self.0, code)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        c!(tokenvault_client_close(self.0));
    }
}

fn check(client: *const abi::Client, code: c_int) -> Result<(), Error> {
    if code == 0 {
        return Ok(());
    }
    let row = ErrorCode::TABLE.iter().find(|row| row.code.number() == code).expect("a number that is in no table");
    Err(Error { code: row.code, text: text(c!(tokenvault_client_error(client))) })
}
