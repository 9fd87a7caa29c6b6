//! The option dictionary of a call, as it came in.
//!
//! It is decoded before anybody knows who is calling, so it must be cheap whatever it holds: only what some option can be is
//! made a value of, and only as much of it as all options together could need.

use std::collections::btree_map::BTreeMap;
use std::collections::hash_map::{Entry, HashMap};
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tokenvault_core::Error;
use tokenvault_core::issued::SCOPES_MAX;
use tokenvault_core::name::ATTRIBUTES_MAX;
use zbus::{OwnedVariant, Signature, Type, Variant};

/// More different keys than any method has: one of them is unknown, whichever are kept.
const KEYS_MAX: usize = 32;

/// More bytes than any option has.
const BYTES_MAX: usize = 256;

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
        while let Some((key, OptionValue(value))) = entries.next_entry::<String, OptionValue>()? {
            let full = options.given.len() >= KEYS_MAX;
            match options.given.entry(key) {
                Entry::Vacant(free) if !full => {
                    free.insert(value);
                }
                Entry::Vacant(_) => {}
                Entry::Occupied(taken) => {
                    options.repeated.get_or_insert_with(|| taken.key().clone());
                }
            }
        }
        Ok(options)
    }
}

/// A value of a type that some option has; in the place of any other a number of one byte, which none is.
struct OptionValue(OwnedVariant);

impl<'de> Deserialize<'de> for OptionValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = OptionValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a variant")
    }

    /// A variant is its signature, then its value.
    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<OptionValue, A::Error> {
        let signature: Signature = next(&mut parts)?;
        let value = match &signature {
            Signature::Str => Variant::from(next::<String, _>(&mut parts)?),
            Signature::Bool => Variant::from(next::<bool, _>(&mut parts)?),
            Signature::U32 => Variant::from(next::<u32, _>(&mut parts)?),
            Signature::U64 => Variant::from(next::<u64, _>(&mut parts)?),
            bytes if bytes == <Vec<u8> as Type>::SIGNATURE => Variant::from(next::<Bytes, _>(&mut parts)?.0),
            texts if texts == <BTreeMap<String, String> as Type>::SIGNATURE => {
                Variant::from(next::<Texts, _>(&mut parts)?.0)
            }
            list if list == <Vec<String> as Type>::SIGNATURE => Variant::from(next::<List, _>(&mut parts)?.0),
            _ => {
                next::<IgnoredAny, _>(&mut parts)?;
                Variant::from(0_u8)
            }
        };
        value.try_into_owned().map(OptionValue).map_err(A::Error::custom)
    }
}

fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(parts: &mut A) -> Result<T, A::Error> {
    parts.next_element()?.ok_or_else(|| A::Error::custom("a variant that ends early"))
}

/// Bytes: all, or one more than any option has.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::new();
        while bytes.len() <= BYTES_MAX {
            let Some(byte) = elements.next_element()? else { return Ok(Bytes(bytes)) };
            bytes.push(byte);
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Bytes(bytes))
    }
}

/// A list of texts: all, or one more than there may be scopes.
struct List(Vec<String>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<List, A::Error> {
        let mut texts = Vec::new();
        while texts.len() <= SCOPES_MAX {
            let Some(text) = elements.next_element()? else { return Ok(List(texts)) };
            texts.push(text);
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(List(texts))
    }
}

/// Texts by key: all, or one more than there may be attributes.
struct Texts(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dictionary of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Texts, A::Error> {
        let mut texts = BTreeMap::new();
        while texts.len() <= ATTRIBUTES_MAX {
            let Some((key, value)) = entries.next_entry()? else { return Ok(Texts(texts)) };
            texts.insert(key, value);
        }
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Texts(texts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::Message;

    fn decoded(options: &HashMap<String, Variant<'_>>) -> Options {
        let message = Message::method_call("/a", "B").build(&(options,)).unwrap();
        message.body().deserialize::<(Options,)>().unwrap().0
    }

    fn given(value: Variant<'_>) -> Variant<'static> {
        let options = decoded(&HashMap::from([("x".to_owned(), value)]));
        let value = options.once().unwrap().remove("x").unwrap();
        Variant::from(value)
    }

    #[test]
    fn what_an_option_can_be_comes_through() {
        let texts = BTreeMap::from([("env".to_owned(), "test".to_owned())]);
        for value in [
            Variant::from("text"),
            Variant::from(true),
            Variant::from(7_u32),
            Variant::from(u64::MAX),
            Variant::from(vec![1_u8, 2, 3]),
            Variant::from(texts),
            Variant::from(vec!["read".to_owned(), "write".to_owned()]),
            Variant::from(Vec::<String>::new()),
        ] {
            assert_eq!(given(value.try_clone().unwrap()), value);
        }
    }

    #[test]
    fn nothing_is_made_of_what_no_option_can_be() {
        let nested = Variant::from(vec![Variant::from(vec![1_i32]), Variant::from("a")]);
        for value in [Variant::from(vec![7_i32; 50_000]), Variant::from(-1_i64), nested] {
            assert_eq!(given(value), Variant::from(0_u8));
        }
    }

    #[test]
    fn no_more_is_kept_than_there_can_be_and_none_too_many_goes_unseen() {
        let many = |count: usize| (0..count).map(|number| (format!("k{number:04}"), format!("{number}")));
        let Variant::Dict(texts) = given(Variant::from(many(5_000).collect::<BTreeMap<_, _>>())) else { panic!() };
        assert_eq!(texts.iter().count(), ATTRIBUTES_MAX + 1);
        assert_eq!(given(Variant::from(vec![7_u8; 200_000])), Variant::from(vec![7_u8; BYTES_MAX + 1]));
        let Variant::Array(list) = given(Variant::from(vec!["s".to_owned(); 5_000])) else { panic!() };
        assert_eq!(list.len(), SCOPES_MAX + 1);
        let options = decoded(&many(5_000).map(|(key, value)| (key, Variant::from(value))).collect());
        assert_eq!(options.once().unwrap().len(), KEYS_MAX);
    }
}
