//! The option dictionary of a call, as it came in.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use tokenvault_core::Error;
use zbus::{OwnedVariant, Signature, Type};

/// Options by key, and the first key that was given again. A map alone would keep the last of equal keys and say nothing, so
/// that a dictionary of any size could pass for a small one.
#[derive(Debug, Default)]
pub struct Options {
    given: HashMap<String, OwnedVariant>,
    repeated: Option<String>,
}

impl Options {
    /// The options, each given once.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] naming the key that was given again.
    pub fn once(self) -> Result<HashMap<String, OwnedVariant>, Error> {
        match self.repeated {
            Some(key) => Err(Error::InvalidArgs(format!("option '{}' is given more than once", key.escape_debug()))),
            None => Ok(self.given),
        }
    }
}

impl Type for Options {
    const SIGNATURE: &'static Signature = <HashMap<String, OwnedVariant> as Type>::SIGNATURE;
}

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collector)
    }
}

struct Collector;

impl<'de> Visitor<'de> for Collector {
    type Value = Options;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dictionary of options")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Options, A::Error> {
        let mut options = Options::default();
        while let Some((key, value)) = entries.next_entry::<String, OwnedVariant>()? {
            match options.given.entry(key) {
                Entry::Vacant(free) => {
                    free.insert(value);
                }
                Entry::Occupied(taken) => {
                    options.repeated.get_or_insert_with(|| taken.key().clone());
                }
            }
        }
        Ok(options)
    }
}
