//! What an issued token is good for, in words of its issuer.

use crate::error::Error;

/// Most scopes of a token.
pub const SCOPES_MAX: usize = 32;
/// Longest scope.
pub const SCOPE_BYTES_MAX: usize = 128;

/// At most 32 scopes of 1 to 128 bytes, in the order they were given and each once. Their characters are those of RFC 6749,
/// section 3.3: visible ASCII without `"` and `\`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Checks `scopes`.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] with the rule they break.
    pub fn parse(scopes: Vec<String>) -> Result<Self, Error> {
        if scopes.len() > SCOPES_MAX {
            return Err(Error::InvalidArgs(format!("there are more than {SCOPES_MAX} scopes")));
        }
        let mut each_once: Vec<String> = Vec::with_capacity(scopes.len());
        for scope in scopes {
            if !(1..=SCOPE_BYTES_MAX).contains(&scope.len()) {
                return Err(Error::InvalidArgs(format!("a scope has not 1 to {SCOPE_BYTES_MAX} bytes")));
            }
            if !scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
                let text = "a scope has other characters than visible ASCII without '\"' and '\\'";
                return Err(Error::InvalidArgs(text.into()));
            }
            if !each_once.contains(&scope) {
                each_once.push(scope);
            }
        }
        Ok(Self(each_once))
    }

    /// Whether all of these are among `granted`.
    pub fn are_within(&self, granted: &[String]) -> bool {
        self.0.iter().all(|scope| granted.contains(scope))
    }

    /// The scopes.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(scopes: &[&str]) -> Result<Scopes, Error> {
        Scopes::parse(scopes.iter().map(|scope| (*scope).to_owned()).collect())
    }

    #[test]
    fn scopes_keep_their_order_and_are_there_once() {
        assert_eq!(parse(&["write", "read", "write"]).unwrap().as_slice(), ["write", "read"]);
        assert_eq!(parse(&[]).unwrap(), Scopes::default());
    }

    #[test]
    fn all_that_are_asked_for_must_be_granted() {
        let granted = ["read".to_owned(), "write".to_owned()];
        assert!(parse(&["write"]).unwrap().are_within(&granted) && parse(&[]).unwrap().are_within(&granted));
        assert!(!parse(&["read", "admin"]).unwrap().are_within(&granted));
        assert!(!parse(&["rea"]).unwrap().are_within(&granted) && !parse(&["read"]).unwrap().are_within(&[]));
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for scope in ["", "a b", "a\n", "é", "\"", "\\", &"s".repeat(129)] {
            assert!(parse(&[scope]).is_err(), "{scope:?}");
        }
        assert!(Scopes::parse(vec!["s".into(); 33]).is_err());
        assert!(parse(&[&"s".repeat(128)]).is_ok());
    }
}
