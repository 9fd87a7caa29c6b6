//! A record of the audit log as the journal tells it: `SEQ:CHAIN`.

use super::Malformed;

/// Hex digits of a chain value.
const DIGITS: usize = 64;
const FORM: &str = "write the number and the 64 hex digits that the journal has, joined with a colon";

/// Number and chain value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its number.
    pub seq: u64,
    /// The chain value after it, 64 hex digits.
    pub chain: String,
}

/// A record, by number and chain value.
///
/// # Errors
/// [`Malformed`] when it is none.
pub fn mark(text: &str) -> Result<Mark, Malformed> {
    let parts = text.split_once(':').and_then(|(seq, chain)| Some((seq.parse().ok()?, chain)));
    let is_chain = |chain: &str| chain.len() == DIGITS && chain.bytes().all(|digit| digit.is_ascii_hexdigit());
    match parts {
        Some((seq, chain)) if is_chain(chain) => Ok(Mark { seq, chain: chain.to_owned() }),
        _ => Err(Malformed::new("is no record of the journal", FORM)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_number_and_digits() {
        let chain = "0123456789abcdefABCDEF".repeat(3)[..DIGITS].to_owned();
        assert_eq!(mark(&format!("17:{chain}")), Ok(Mark { seq: 17, chain: chain.clone() }));
        for text in
            ["", "17", "17:", &chain, &format!("x:{chain}"), &format!("17:{chain}0"), &format!("17:{:g>64}", 'g')]
        {
            assert!(mark(text).is_err(), "{text}");
        }
    }
}
