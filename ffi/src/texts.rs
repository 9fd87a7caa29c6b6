//! Several texts for C in one piece of memory: a Get has a handful of them, and is meant to be quick.

use std::ffi::CStr;

use tokenvault_client::ErrorCode;
use tokenvault_client::proto::memory;

use crate::failure::Failure;

/// Texts one behind the other, each with its zero byte.
#[derive(Default)]
pub(crate) struct Texts(Vec<u8>);

impl Texts {
    /// Takes texts of the daemon over.
    pub(crate) fn collect<'t>(texts: impl Iterator<Item = &'t str> + Clone) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        memory::exactly(&mut bytes, texts.clone().map(|text| text.len() + 1).sum()).map_err(Failure::unheld)?;
        for text in texts {
            if text.contains('\0') {
                return Err(Failure::new(ErrorCode::Failed, "the daemon sent a text with a zero byte in it"));
            }
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
        Ok(Self(bytes))
    }

    /// All of them, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &CStr> {
        self.0.split_inclusive(|byte| *byte == 0).filter_map(|bytes| CStr::from_bytes_with_nul(bytes).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_in_their_order_the_empty_ones_too() {
        let texts = Texts::collect(["one", "", "père"].into_iter()).unwrap();
        assert!(texts.iter().eq([c"one", c"", c"père"]));
        assert_eq!(Texts::default().iter().count(), 0);
    }

    #[test]
    fn a_text_that_c_would_see_the_beginning_of_is_a_fault() {
        assert!(Texts::collect(["one", "t\0wo"].into_iter()).is_err());
    }
}
