//! What `Validate` tells: of what is valid everything, of anything else nothing.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use zbus::{Signature, Type};

use crate::result::IssuedInfo;

/// The dictionary of what was issued, or an empty one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims(pub Option<IssuedInfo>);

impl Type for Claims {
    const SIGNATURE: &'static Signature = IssuedInfo::SIGNATURE;
}

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(info) => info.serialize(serializer),
            None => serializer.serialize_map(Some(0))?.end(),
        }
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dictionary of claims, or an empty one")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
        let Some(first) = map.next_key::<&'de str>()? else { return Ok(Claims(None)) };
        let again = FromFirst { first: Some(first), rest: map };
        IssuedInfo::deserialize(MapAccessDeserializer::new(again)).map(|info| Claims(Some(info)))
    }
}

/// The entries of a map of which the first key was read already.
struct FromFirst<'de, A> {
    first: Option<&'de str>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for FromFirst<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(first) => seed.deserialize(serde::de::value::BorrowedStrDeserializer::new(first)).map(Some),
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.rest.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use zbus::wire::serialized::Context;
    use zbus::wire::{Endian, to_bytes};

    use super::*;

    #[test]
    fn everything_and_nothing_come_back() {
        let info = IssuedInfo {
            id: "a".into(),
            kind: "token".into(),
            scopes: vec!["read".into(), "write".into()],
            claims: std::collections::BTreeMap::from([("team".into(), "one".into())]),
            expires: 7,
            uses_left: Some(0),
            ..IssuedInfo::default()
        };
        for claims in [Claims(None), Claims(Some(info))] {
            let bytes = to_bytes(Context::new(Endian::Little, 0), &(true, &claims)).unwrap();
            assert_eq!(bytes.deserialize::<(bool, Claims)>().unwrap().0, (true, claims));
        }
    }
}
