//! Texts that callers hand over: issued tokens, codes, names, grantees, units, keys that were typed.

use tokenvault_core::crypto::{base62, crc32};
use tokenvault_core::grantee::GranteeText;
use tokenvault_core::issued::{IssuedId, Presented, TOKEN_CHARS, read, write};
use tokenvault_core::name::{ContentType, Hint, NamePrefix, Note, TokenName};
use tokenvault_core::unit::UnitName;
use tokenvault_proto::{Address, read_key, write_key};

/// Characters of a token that are there to be checked.
const CHECKSUM_CHARS: usize = 6;

/// The first byte says what it is meant for.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match kind % 12 {
        0 => token(text),
        1 => {
            if let Some(id) = IssuedId::parse(text) {
                assert_eq!(id.to_string(), text);
            }
        }
        2 => drop(Presented::parse(text, None)),
        3 => {
            if let Ok(name) = TokenName::parse(text) {
                assert_eq!(
                    TokenName::parse(name.as_str()).unwrap().as_str(),
                    name.as_str(),
                    "a name is normal once it was read"
                );
                assert!(NamePrefix::parse(name.as_str()).is_ok());
            }
        }
        4 => drop(GranteeText::parse(text)),
        5 => {
            if let Ok(unit) = UnitName::parse(text) {
                assert!(UnitName::parse(unit.as_str()).is_ok());
            }
        }
        6 => drop(ContentType::parse(text)),
        7 => drop((Hint::parse("purpose", text), Note::parse(text))),
        8 => {
            let mut key = [0; 32];
            if read_key(rest, &mut key).is_ok() {
                let (mut again, mut same) = (Vec::new(), [0; 32]);
                write_key(&key, |byte| again.push(byte));
                assert!(read_key(&again, &mut same).is_ok() && same == key, "what is written is read");
            }
        }
        9 => drop(text.parse::<Address>()),
        10 => drop(with_checksum(text).map(|text| token(&text))),
        _ => drop(with_checksum(text).map(|text| Presented::parse(&text, None))),
    }
}

fn token(text: &str) {
    if let Some((id, secret)) = read(text) {
        assert_eq!(*write(id, &secret), text, "there is one text of a token");
    }
}

/// A text as long as a token, and for the rest of it the checksum that it should have.
fn with_checksum(text: &str) -> Option<String> {
    let mut checksum = [0; CHECKSUM_CHARS];
    let checked = text.get(..TOKEN_CHARS - CHECKSUM_CHARS)?;
    base62::encode(&crc32::checksum(checked.as_bytes()).to_be_bytes(), &mut checksum);
    Some([checked, std::str::from_utf8(&checksum).ok()?].concat())
}
