//! Attributes: `KEY=VALUE`, each key once.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::Malformed;
use crate::failure::Failure;

/// One attribute as it stands on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    key: String,
    value: String,
}

impl FromStr for Attribute {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
            _ => Err(Malformed::new("is not an attribute", "write KEY=VALUE")),
        }
    }
}

/// The attributes of a call; `None` when there are none.
///
/// # Errors
/// A key that is given twice: one of the two values would be lost.
pub fn collect(attributes: Vec<Attribute>) -> Result<Option<BTreeMap<String, String>>, Failure> {
    let mut collected = BTreeMap::new();
    for Attribute { key, value } in attributes {
        if collected.contains_key(&key) {
            return Err(Failure::usage(format_args!("attribute '{key}' is given twice"), "give each key once"));
        }
        collected.insert(key, value);
    }
    Ok(if collected.is_empty() { None } else { Some(collected) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_equals_sign_divides() {
        let attribute: Attribute = "url=https://x/?a=b".parse().unwrap();
        assert_eq!(attribute, Attribute { key: "url".into(), value: "https://x/?a=b".into() });
        assert_eq!("empty=".parse::<Attribute>().unwrap().value, "");
    }

    #[test]
    fn a_key_is_needed() {
        for text in ["", "=", "=v", "key"] {
            assert!(text.parse::<Attribute>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_given_twice_is_refused() {
        let attributes = vec!["a=1".parse().unwrap(), "a=2".parse().unwrap()];
        assert!(collect(attributes).unwrap_err().line().unwrap().contains("'a' is given twice"));
        assert_eq!(collect(Vec::new()).unwrap(), None);
    }
}
