//! Attributes of a token: pairs to find it by.

use std::collections::BTreeMap;

use super::text;
use crate::Error;

/// Most attributes of one token.
pub const ATTRIBUTES_MAX: usize = 32;
/// Longest attribute key, bytes of UTF-8.
pub const ATTRIBUTE_KEY_BYTES_MAX: usize = 64;
/// Longest attribute value, bytes of UTF-8.
pub const ATTRIBUTE_VALUE_BYTES_MAX: usize = 1024;

/// At most 32 pairs; keys of 1 to 64 bytes, values of up to 1024, both under the character rules of names: they are found
/// by equality, so what looks equal should be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes(BTreeMap<String, String>);

impl Attributes {
    /// Checks `pairs`.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] with the rule they break.
    pub fn parse(pairs: BTreeMap<String, String>) -> Result<Self, Error> {
        if pairs.len() > ATTRIBUTES_MAX {
            return Err(Error::InvalidArgs(format!(
                "there are {} attributes, at most {ATTRIBUTES_MAX} are allowed",
                pairs.len()
            )));
        }
        for (key, value) in &pairs {
            if key.is_empty() {
                return Err(Error::InvalidArgs("an attribute has an empty key".into()));
            }
            text::check("attribute key", key, ATTRIBUTE_KEY_BYTES_MAX)?;
            text::check_normalised("attribute key", key)?;
            let what = format!("value of attribute '{key}'");
            text::check(&what, value, ATTRIBUTE_VALUE_BYTES_MAX)?;
            text::check_normalised(&what, value)?;
        }
        Ok(Self(pairs))
    }

    /// Pairs by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// As a map.
    pub const fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The map itself.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Attributes, Error> {
        Attributes::parse(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn pairs_within_the_limits_are_taken_in_order() {
        let attributes = parse(&[("b", ""), ("a", "x y")]).unwrap();
        assert_eq!(attributes.iter().collect::<Vec<_>>(), [("a", "x y"), ("b", "")]);
    }

    #[test]
    fn each_limit_is_checked() {
        let many: BTreeMap<_, _> = (0..33).map(|at| (format!("k{at}"), String::new())).collect();
        assert!(Attributes::parse(many).is_err());
        assert!(parse(&[("", "x")]).is_err());
        assert!(parse(&[(&"k".repeat(65), "x")]).is_err());
        assert!(parse(&[("k", &"v".repeat(1025))]).is_err());
        assert!(parse(&[("k", "line\nbreak")]).is_err());
        assert!(parse(&[("k\u{200}\u{301}\0", "x")]).is_err());
    }

    #[test]
    fn a_bad_value_is_refused_by_the_name_of_its_key() {
        let Err(Error::InvalidArgs(text)) = parse(&[("host", "e\u{301}")]) else { panic!("was taken") };
        assert!(text.contains("'host'"), "{text}");
    }
}
