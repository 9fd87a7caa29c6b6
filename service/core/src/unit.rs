//! Names of systemd units.
//!
//! The rules are systemd's own (`systemd.unit(5)`, `unit_name_is_valid()`), narrowed to what a token is shared with: a service,
//! by the name it runs under. A template runs under no name, so each of its instances is a name of its own.

use minicbor::{Decode, Encode};

use crate::error::Error;

/// Longest unit name, bytes.
pub const UNIT_NAME_BYTES_MAX: usize = 255;

const SUFFIX: &str = ".service";

/// Name of a service: `NAME.service` or `NAME@INSTANCE.service`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct UnitName(#[n(0)] String);

impl UnitName {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] with the rule it breaks.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = |rule: &str| Err(Error::InvalidArgs(format!("the unit name {rule}")));
        if text.len() > UNIT_NAME_BYTES_MAX {
            return refused(&format!("is longer than {UNIT_NAME_BYTES_MAX} bytes"));
        }
        let Some(name) = text.strip_suffix(SUFFIX) else {
            return refused("must be that of a service and end in '.service'");
        };
        if name.is_empty() || name.starts_with('@') {
            return refused("has nothing before its '@' or its ending");
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte)) {
            return refused("may hold ASCII letters, digits and the characters ':-_.\\@' only");
        }
        // The first '@' ends the name; what follows is the instance.
        if name.split_once('@').is_some_and(|(_, instance)| instance.is_empty()) {
            return refused("is that of a template; name one of its instances, 'NAME@INSTANCE.service'");
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_instances_are_names() {
        let longest = format!("{}.service", "a".repeat(UNIT_NAME_BYTES_MAX - SUFFIX.len()));
        for name in [
            "app.service",
            "a.b.service",
            "web@1.service",
            "web@a@b.service",
            "dev-disk\\x2dby.service",
            "A_1:2.service",
            ".service.service",
            &longest,
        ] {
            assert_eq!(UnitName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_systemd_would_not_run_under_is_refused() {
        let too_long = format!("{}.service", "a".repeat(UNIT_NAME_BYTES_MAX));
        for name in [
            "",
            "app",
            "app.socket",
            "app.Service",
            "app.service ",
            ".service",
            "@.service",
            "@a.service",
            "web@.service",
            "a/b.service",
            "a b.service",
            "a\0.service",
            "a\n.service",
            "äpp.service",
            "*.service",
            "app.service/",
            &too_long,
        ] {
            let error = UnitName::parse(name).unwrap_err();
            assert!(matches!(error, Error::InvalidArgs(_)), "{name:?}");
        }
    }
}
