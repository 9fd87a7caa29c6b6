//! What is read from a reply, taken over into memory of its own, as long as there is some: see [`crate::memory`].

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zbus::{Signature, Type};
use zeroize::{Zeroize, Zeroizing};

use crate::memory::{self, NoMemory};

/// Bytes of a text that is short: a row has a dozen, which all together take less than the room that there is for them.
const SHORT: usize = 256;

/// A type that is read without taking memory that is not there.
pub trait Take: Sized {
    /// Reads one.
    ///
    /// # Errors
    /// The decoder's, or [`NoMemory`] as one of these.
    fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// One of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken<T>(pub T);

impl<'de, T: Take> Deserialize<'de> for Taken<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::take(deserializer).map(Self)
    }
}

impl<T: Type> Type for Taken<T> {
    const SIGNATURE: &'static Signature = T::SIGNATURE;
}

/// A text that is wiped, also where what stands behind it cannot be read.
pub struct TakenSecret(pub Zeroizing<String>);

impl<'de> Deserialize<'de> for TakenSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::take(deserializer).map(|text| Self(text.into()))
    }
}

impl Type for TakenSecret {
    const SIGNATURE: &'static Signature = String::SIGNATURE;
}

/// The rows of a list, each read by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Each(PhantomData)).map(Self)
    }
}

impl<T: Type> Type for Rows<T> {
    const SIGNATURE: &'static Signature = <Vec<T> as Type>::SIGNATURE;
}

impl Take for String {
    fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

impl Take for Vec<u8> {
    fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Each(PhantomData))
    }
}

impl Take for Vec<String> {
    fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Texts)
    }
}

impl Take for BTreeMap<String, String> {
    fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs)
    }
}

macro_rules! take_plainly {
    ($($ty:ty)*) => {$(
        impl Take for $ty {
            fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(deserializer)
            }
        }
    )*};
}

take_plainly! { bool u32 u64 }

struct Text;

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        let mut copy = memory::text(text).map_err(NoMemory::of)?;
        // Before each row, and each entry of what is of any length, there is room for all that is short in it.
        if text.len() > SHORT
            && let Err(error) = memory::room()
        {
            // It may be a secret.
            copy.zeroize();
            return Err(error.of());
        }
        Ok(copy)
    }
}

struct Each<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut taken = Vec::new();
        while let Some(item) = items.next_element()? {
            memory::push(&mut taken, item).map_err(NoMemory::of)?;
        }
        Ok(taken)
    }
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<String>, A::Error> {
        let mut taken = Vec::new();
        while let Some(Taken(item)) = items.next_element()? {
            memory::push(&mut taken, item).map_err(NoMemory::of)?;
            memory::room().map_err(NoMemory::of)?;
        }
        Ok(taken)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dictionary of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut taken = BTreeMap::new();
        while let Some((Taken(key), Taken(value))) = map.next_entry()? {
            // A map cannot be asked to make room.
            memory::room().map_err(NoMemory::of)?;
            taken.insert(key, value);
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use zbus::wire::serialized::Context;
    use zbus::wire::{Endian, to_bytes};

    use super::*;

    #[test]
    fn everything_is_taken_as_serde_takes_it() {
        type Careful = (Taken<Vec<String>>, Taken<BTreeMap<String, String>>, Taken<Vec<u8>>, Taken<String>, Rows<u64>);
        let texts = || vec!["one".to_owned(), String::new(), "père".to_owned()];
        let map = BTreeMap::from([("key".to_owned(), "value".to_owned()), (String::new(), String::new())]);
        let all = (texts(), map.clone(), vec![0_u8, 255], "text".to_owned(), vec![7_u64, 8]);
        for order in [Endian::Little, Endian::Big] {
            let bytes = to_bytes(Context::new(order, 0), &all).unwrap();
            let careful: Careful = bytes.deserialize().unwrap().0;
            let (Taken(list), Taken(dict), Taken(raw), Taken(text), Rows(rows)) = careful;
            assert_eq!((list, dict, raw, text, rows), all);
        }
    }
}
