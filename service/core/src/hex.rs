//! Bytes as hex digits: how places in a list, ids and links of the audit chain are written.

/// Two lower-case digits for each byte.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a text of digits; `None` for any other.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(encode(&[0, 0x0f, 0xf0, 0xff]), "000ff0ff");
        assert_eq!(decode("000ff0FF"), Some(vec![0, 0x0f, 0xf0, 0xff]));
        assert_eq!(decode(""), Some(Vec::new()));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["0", "000", "0g", "+f", " 1", "1 ", "é", "0x"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
