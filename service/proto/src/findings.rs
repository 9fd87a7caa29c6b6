//! What an operation found: a dictionary whose keys depend on the operation.

use std::collections::{BTreeMap, HashMap};

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap, Serializer};
use zbus::{OwnedVariant, Variant};

use crate::dictionary::FieldType;
use crate::taken::Take;
use crate::variant::Outgoing;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A number, a time, a size.
    Number(u64),
    /// A text.
    Text(String),
    /// Whether something is so.
    Truth(bool),
}

/// All that was found, by its keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(BTreeMap<String, Finding>);

impl Findings {
    /// With one more.
    #[must_use]
    pub fn with(mut self, key: &str, finding: impl Into<Finding>) -> Self {
        self.0.insert(key.to_owned(), finding.into());
        self
    }

    /// A number; `None` when there is none under this key.
    pub fn number(&self, key: &str) -> Option<u64> {
        match self.0.get(key) {
            Some(Finding::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A text; `None` when there is none under this key.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key) {
            Some(Finding::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Everything, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Finding)> {
        self.0.iter().map(|(key, finding)| (key.as_str(), finding))
    }
}

impl From<u64> for Finding {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<String> for Finding {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Finding {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}

impl Finding {
    /// `None` for a type that only a newer daemon sends.
    fn from_variant(value: OwnedVariant) -> Option<Self> {
        match Variant::from(value) {
            Variant::U64(number) => Some(Self::Number(number)),
            Variant::Str(text) => Some(Self::Text(text.as_str().to_owned())),
            Variant::Bool(truth) => Some(Self::Truth(truth)),
            _ => None,
        }
    }
}

/// As variants on the wire, and as themselves in JSON.
impl Serialize for Findings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = serializer.is_human_readable();
        let mut map = serializer.serialize_map(None)?;
        for (key, finding) in &self.0 {
            match finding {
                Finding::Number(number) if plain => map.serialize_entry(key, number)?,
                Finding::Text(text) if plain => map.serialize_entry(key, text)?,
                Finding::Truth(truth) if plain => map.serialize_entry(key, truth)?,
                Finding::Number(number) => map.serialize_entry(key, &Outgoing(number))?,
                Finding::Text(text) => map.serialize_entry(key, &Outgoing(text))?,
                Finding::Truth(truth) => map.serialize_entry(key, &Outgoing(truth))?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Findings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_wire(HashMap::deserialize(deserializer)?))
    }
}

impl Take for Findings {
    fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl Findings {
    fn from_wire(entries: HashMap<String, OwnedVariant>) -> Self {
        let known = entries.into_iter().filter_map(|(key, value)| Some((key, Finding::from_variant(value)?)));
        Self(known.collect())
    }
}

impl FieldType for Findings {
    const SIGNATURE: &'static str = "a{sv}";

    fn has_zero_byte(&self) -> bool {
        self.0
            .iter()
            .any(|(key, finding)| key.contains('\0') || matches!(finding, Finding::Text(text) if text.contains('\0')))
    }

    fn from_variant(value: OwnedVariant) -> Option<Self> {
        HashMap::try_from(Variant::from(value)).ok().map(Self::from_wire)
    }
}

#[cfg(test)]
mod tests {
    use zbus::wire::serialized::Context;
    use zbus::wire::{Endian, to_bytes};

    use super::*;
    use crate::OperationInfo;

    fn info() -> OperationInfo {
        let result = Findings::default().with("records", 7).with("chain", "abc".to_owned()).with("whole", true);
        OperationInfo { id: 3, operation: "VerifyAudit".into(), state: "done".into(), result, ..Default::default() }
    }

    #[test]
    fn findings_come_through_the_wire_inside_of_a_result() {
        for endian in [Endian::Little, Endian::Big] {
            let bytes = to_bytes(Context::new(endian, 0), &info()).unwrap();
            assert_eq!(bytes.deserialize::<OperationInfo>().unwrap().0, info());
            let all: HashMap<String, OwnedVariant> = bytes.deserialize().unwrap().0;
            assert_eq!(Findings::from_variant(all["result"].try_clone().unwrap()), Some(info().result));
        }
    }
}
