//! Strings on their way into a message.

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use tokenvault_proto::ZERO_BYTE;
use zbus::{Signature, Type};

/// A string that is refused when no message can carry it: zbus would send it, and the other side hang up.
pub(crate) struct Text<'t>(pub(crate) &'t str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.as_bytes().contains(&0) {
            return Err(S::Error::custom(ZERO_BYTE));
        }
        serializer.serialize_str(self.0)
    }
}

impl Type for Text<'_> {
    const SIGNATURE: &'static Signature = <&str as Type>::SIGNATURE;
}
