//! What the library does with offers and issued tokens.

use std::ptr;

use tokenvault_client::Issued;
use tokenvault_proto::{
    IssueOptions, IssuedInfo, IssuedOptions, OfferInfo, OfferOptions, RedeemOptions, RevokeAllOptions, ValidateOptions,
};

use super::options::Memory;
use super::read::{issued_info, offer_info, take_rows, take_text, take_value};
use super::{Client, Error, Value, abi};

impl Client {
    /// `tokenvault_offer`.
    ///
    /// # Errors
    /// The library's.
    pub fn offer(&self, name: &str, options: &OfferOptions) -> Result<(String, OfferInfo), Error> {
        let (mut memory, mut code) = (Memory::default(), ptr::null_mut());
        let (name, options) = (memory.text(name), memory.offer(options));
        self.check(c!(tokenvault_offer(self.0, name, &raw const options, &raw mut code)))?;
        Ok(take_text(code, offer_info))
    }

    /// `tokenvault_redeem`.
    ///
    /// # Errors
    /// The library's.
    pub fn redeem(&self, code: &str, options: &RedeemOptions) -> Result<Value, Error> {
        let (mut memory, mut value) = (Memory::default(), ptr::null_mut());
        let (code, options) = (memory.text(code), memory.redeem(options));
        self.check(c!(tokenvault_redeem(self.0, code, &raw const options, &raw mut value)))?;
        Ok(take_value(value))
    }

    /// `tokenvault_issue`.
    ///
    /// # Errors
    /// The library's.
    pub fn issue(&self, options: &IssueOptions) -> Result<Issued, Error> {
        let (mut memory, mut token) = (Memory::default(), ptr::null_mut());
        let options = memory.issue(options);
        self.check(c!(tokenvault_issue(self.0, &raw const options, &raw mut token)))?;
        let (text, info) = take_text(token, issued_info);
        Ok(Issued { token: text.into(), id: info.id, expires: info.expires })
    }

    /// `tokenvault_validate_claims`; and `tokenvault_validate`, which must say the same, where that changes nothing.
    ///
    /// # Errors
    /// The library's.
    pub fn validate(&self, token: &str, options: &ValidateOptions) -> Result<Option<IssuedInfo>, Error> {
        let (mut memory, mut claims, mut valid) = (Memory::default(), ptr::null_mut(), -1);
        let (token, changes) = (memory.text(token), options.consume == Some(true) || options.id.is_some());
        let options = memory.validate(options);
        self.check(c!(tokenvault_validate_claims(self.0, token, &raw const options, &raw mut claims)))?;
        if !changes {
            self.check(c!(tokenvault_validate(self.0, token, &raw const options, &raw mut valid)))?;
            if valid == 0 && !claims.is_null() {
                // It may have ended in between.
                c!(tokenvault_value_free(claims));
                claims = ptr::null_mut();
                self.check(c!(tokenvault_validate_claims(self.0, token, &raw const options, &raw mut claims)))?;
            }
            assert_eq!(valid, i32::from(!claims.is_null()), "one says what the other says");
        }
        if claims.is_null() {
            return Ok(None);
        }
        let info = issued_info(claims);
        c!(tokenvault_value_free(claims));
        Ok(Some(info))
    }

    /// `tokenvault_revoke`.
    ///
    /// # Errors
    /// The library's.
    pub fn revoke(&self, id: &str) -> Result<(), Error> {
        self.check(c!(tokenvault_revoke(self.0, Memory::default().text(id))))
    }

    /// `tokenvault_revoke_all`.
    ///
    /// # Errors
    /// The library's.
    pub fn revoke_all(&self, filter: &RevokeAllOptions) -> Result<u64, Error> {
        let (mut memory, mut count) = (Memory::default(), 0);
        let options = memory.revoke_all(filter);
        self.check(c!(tokenvault_revoke_all(self.0, &raw const options, &raw mut count)))?;
        Ok(count)
    }

    /// `tokenvault_list_issued`; all of them, so that there is no next page.
    ///
    /// # Errors
    /// The library's.
    pub fn issued(&self, options: &IssuedOptions) -> Result<(Vec<IssuedInfo>, String), Error> {
        let (mut memory, mut list) = (Memory::default(), ptr::null_mut());
        let options = memory.issued(options);
        self.check(c!(tokenvault_list_issued(self.0, &raw const options, &raw mut list)))?;
        Ok((take_rows(list, issued_info), String::new()))
    }
}
