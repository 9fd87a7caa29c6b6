//! The values of dictionaries: variants whose type is known beforehand.
//!
//! zbus can do this for any type; here the signatures are constants, which are neither written out nor parsed for each
//! value. The bytes are the same.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde::{Deserialize, Deserializer};

use crate::dictionary::FieldType;
use crate::taken::{Take, Taken};

/// What zbus takes for a variant, and the names of its parts.
const NAME: &str = "Variant";
const SIGNATURE: &str = "signature";
const VALUE: &str = "value";

/// A value to be written as a variant.
pub struct Outgoing<'a, T>(pub &'a T);

impl<T: FieldType + Serialize> Serialize for Outgoing<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut variant = serializer.serialize_struct(NAME, 2)?;
        variant.serialize_field(SIGNATURE, T::SIGNATURE)?;
        variant.serialize_field(VALUE, self.0)?;
        variant.end()
    }
}

/// A value that was read from a variant of its type.
pub struct Incoming<T>(pub T);

impl<'de, T: FieldType + Take> Deserialize<'de> for Incoming<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(NAME, &[SIGNATURE, VALUE], Parts(PhantomData)).map(Self)
    }
}

struct Parts<T>(PhantomData<T>);

impl<'de, T: FieldType + Take> Visitor<'de> for Parts<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value of signature `{}`", T::SIGNATURE)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<T, A::Error> {
        let signature: &str = parts.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
        if signature != T::SIGNATURE {
            return Err(de::Error::invalid_value(de::Unexpected::Str(signature), &self));
        }
        let Taken(value) = parts.next_element()?.ok_or_else(|| de::Error::invalid_length(1, &self))?;
        Ok(value)
    }
}
