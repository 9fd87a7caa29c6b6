//! Dictionaries (`a{sv}`) as structs, declared once for the wire, for Rust and for JSON.

use std::collections::{BTreeMap, HashMap};

use zbus::{OwnedVariant, Variant};

/// A type that can stand in an option dictionary.
pub trait FieldType: Sized {
    /// Its D-Bus signature, for messages to people.
    const SIGNATURE: &'static str;

    /// Whether a string in it has a zero byte, which no message can carry.
    fn has_zero_byte(&self) -> bool;

    /// From the wire; `None` when the variant holds another type.
    fn from_variant(value: OwnedVariant) -> Option<Self>;
}

macro_rules! field_type {
    ($($ty:ty = $signature:literal, $has_zero_byte:expr;)*) => {$(
        impl FieldType for $ty {
            const SIGNATURE: &'static str = $signature;

            fn has_zero_byte(&self) -> bool {
                let has_zero_byte: fn(&Self) -> bool = $has_zero_byte;
                has_zero_byte(self)
            }

            fn from_variant(value: OwnedVariant) -> Option<Self> {
                Self::try_from(Variant::from(value)).ok()
            }
        }
    )*};
}

field_type! {
    String = "s", |text| has_zero(text);
    bool = "b", |_| false;
    u32 = "u", |_| false;
    u64 = "t", |_| false;
    BTreeMap<String, String> = "a{ss}", |map| map.iter().any(|(key, value)| has_zero(key) || has_zero(value));
    Vec<u8> = "ay", |_| false;
    Vec<String> = "as", |texts| texts.iter().any(|text| has_zero(text));
}

fn has_zero(text: &str) -> bool {
    text.as_bytes().contains(&0)
}

/// Why a string cannot be sent.
pub const ZERO_BYTE: &str = "a string has a zero byte in it";

/// What was wrong with an option dictionary; the text names the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionError {
    /// A key this method does not know.
    Unknown(String),
    /// A known key with a value of another type.
    WrongType {
        /// The key.
        key: &'static str,
        /// The signature it takes.
        expected: &'static str,
    },
}

impl std::fmt::Display for OptionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(key) => write!(f, "unknown option '{}'", key.escape_debug()),
            Self::WrongType { key, expected } => write!(f, "option '{key}' must have type '{expected}'"),
        }
    }
}

impl std::error::Error for OptionError {}

/// An option dictionary. What is set of it serialises to the wire, unless no message can carry it.
pub trait Dictionary: Sized + Default {
    /// Its keys.
    const KEYS: &'static [&'static str];

    /// Decodes the dictionary of a call.
    ///
    /// # Errors
    /// [`OptionError`] naming the first key that is unknown or has the wrong type.
    fn from_dict(dict: HashMap<String, OwnedVariant>) -> Result<Self, OptionError>;
}

/// A result dictionary as plain data: serialises to JSON with the keys of the wire, absent values left out.
#[derive(Debug)]
pub struct Plain<'a, T>(pub &'a T);

macro_rules! options {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $ty:ty = $key:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, zbus::Type)]
        #[zbus(signature = "a{sv}")]
        pub struct $name {
            $($(#[$field_meta])* pub $field: Option<$ty>,)*
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[allow(unused_mut)]
                let mut map = serializer.serialize_map(None)?;
                $(if let Some(value) = &self.$field {
                    if $crate::dictionary::FieldType::has_zero_byte(value) {
                        return Err(<S::Error as serde::ser::Error>::custom($crate::dictionary::ZERO_BYTE));
                    }
                    serde::ser::SerializeMap::serialize_entry(&mut map, $key, &$crate::variant::Outgoing(value))?;
                })*
                serde::ser::SerializeMap::end(map)
            }
        }

        impl $crate::dictionary::Dictionary for $name {
            const KEYS: &'static [&'static str] = &[$($key),*];

            fn from_dict(
                dict: std::collections::HashMap<String, zbus::OwnedVariant>,
            ) -> Result<Self, $crate::dictionary::OptionError> {
                #[allow(unused_mut)]
                let mut options = Self::default();
                for (key, value) in dict {
                    match key.as_str() {
                        $($key => {
                            let value = <$ty as $crate::dictionary::FieldType>::from_variant(value).ok_or(
                                $crate::dictionary::OptionError::WrongType {
                                    key: $key,
                                    expected: <$ty as $crate::dictionary::FieldType>::SIGNATURE,
                                },
                            )?;
                            options.$field = Some(value);
                        })*
                        _ => {
                            drop(value);
                            return Err($crate::dictionary::OptionError::Unknown(key));
                        }
                    }
                }
                Ok(options)
            }
        }
    };
}

/// Declares a result dictionary. `?` marks a value that may be absent.
macro_rules! results {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $ty:ty = $key:literal,)*
        $(? $($(#[$opt_meta:meta])* $opt:ident: $opt_ty:ty = $opt_key:literal,)*)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, zbus::Type)]
        #[zbus(signature = "a{sv}")]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
            $($($(#[$opt_meta])* pub $opt: Option<$opt_ty>,)*)?
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                use $crate::variant::Outgoing;
                let mut map = serializer.serialize_map(None)?;
                $(map.serialize_entry($key, &Outgoing(&self.$field))?;)*
                $($(if let Some(value) = &self.$opt {
                    map.serialize_entry($opt_key, &Outgoing(value))?;
                })*)?
                map.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::{Error, IgnoredAny, MapAccess};
                use $crate::variant::Incoming;

                struct Entries;

                impl<'de> serde::de::Visitor<'de> for Entries {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("the dictionary ", stringify!($name)))
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        $crate::memory::room().map_err($crate::memory::NoMemory::of)?;
                        $(let mut $field: Option<$ty> = None;)*
                        $($(let mut $opt: Option<$opt_ty> = None;)*)?
                        while let Some(key) = map.next_key::<&str>()? {
                            match key {
                                $($key => {
                                    if $field.replace(map.next_value::<Incoming<$ty>>()?.0).is_some() {
                                        return Err(A::Error::duplicate_field($key));
                                    }
                                })*
                                $($($opt_key => {
                                    if $opt.replace(map.next_value::<Incoming<$opt_ty>>()?.0).is_some() {
                                        return Err(A::Error::duplicate_field($opt_key));
                                    }
                                })*)?
                                // From a daemon that is newer.
                                _ => {
                                    map.next_value::<IgnoredAny>()?;
                                }
                            }
                        }
                        Ok($name {
                            $($field: $field.ok_or_else(|| A::Error::missing_field($key))?,)*
                            $($($opt,)*)?
                        })
                    }
                }

                deserializer.deserialize_map(Entries)
            }
        }

        impl serde::Serialize for $crate::dictionary::Plain<'_, $name> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                $(map.serialize_entry($key, &self.0.$field)?;)*
                $($(if let Some(value) = &self.0.$opt {
                    map.serialize_entry($opt_key, value)?;
                })*)?
                map.end()
            }
        }
    };
}

pub(crate) use options;
pub(crate) use results;
