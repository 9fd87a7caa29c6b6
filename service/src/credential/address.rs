//! What the service manager says it asks for: the address its end of the connection is bound to.
//!
//! For `LoadCredential=ID:/path/of/a/socket` systemd binds an abstract name before it connects, `RANDOM/unit/UNIT/ID`
//! (`systemd.exec(5)`): a random number in hexadecimal digits, the name the unit runs under, and the id before the colon. Anybody
//! can bind such a name, so it says nothing unless the kernel says that the peer is root.

use tokenvault_core::unit::UnitName;

/// Most bytes that unit and id can have together: a name has 107, and around them stand up to 16 digits, `/unit/` and `/`.
pub const UNIT_AND_ID_BYTES_MAX: usize = 107 - 16 - "/unit/".len() - "/".len();

/// Longest id, which is a file name.
const ID_BYTES_MAX: usize = 255;

/// A credential of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The unit.
    pub unit: UnitName,
    /// The id in its file.
    pub id: String,
}

/// Why an address is not one of a credential we give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAsked {
    /// It does not look like one that the service manager makes for a unit.
    Foreign,
    /// It does, and what it names we do not give credentials to, or by.
    Unfit {
        /// The unit, as it stands there, made safe to print.
        unit: String,
        /// The id, likewise.
        id: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Asked {
    /// From the bytes of an abstract name, without the zero byte it begins with.
    ///
    /// # Errors
    /// [`NotAsked`].
    pub fn parse(name: &[u8]) -> Result<Self, NotAsked> {
        let text = std::str::from_utf8(name).map_err(|_| NotAsked::Foreign)?;
        let parts: Vec<&str> = text.split('/').collect();
        let [random, "unit", unit, id] = parts.as_slice() else { return Err(NotAsked::Foreign) };
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if random.is_empty() || random.len() > 16 || !random.bytes().all(is_digit) {
            return Err(NotAsked::Foreign);
        }
        let unfit = |why: String| NotAsked::Unfit {
            unit: unit.escape_debug().to_string(),
            id: id.escape_debug().to_string(),
            why,
        };
        let name = UnitName::parse(unit).map_err(|error| unfit(error.to_string()))?;
        check_id(id).map_err(|rule| unfit(format!("the id {rule}")))?;
        Ok(Self { unit: name, id: (*id).to_owned() })
    }
}

/// Checks that systemd would take `id` for a credential's.
///
/// # Errors
/// The rule it breaks.
pub fn check_id(id: &str) -> Result<(), &'static str> {
    match id {
        "" | "." | ".." => Err("is no file name"),
        id if id.len() > ID_BYTES_MAX => Err("is longer than 255 bytes"),
        id if !id.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"/:".contains(&byte)) => {
            Err("may hold printable ASCII characters without '/' and ':' only")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Result<Asked, NotAsked> {
        Asked::parse(name.as_bytes())
    }

    #[test]
    fn unit_and_id_are_read_from_what_systemd_binds() {
        for (name, unit, id) in [
            ("9f8fd7d0f4c0b2a1/unit/app.service/api-key", "app.service", "api-key"),
            ("0/unit/web@a.b.service/a b", "web@a.b.service", "a b"),
        ] {
            let asked = parse(name).unwrap();
            assert_eq!((asked.unit.as_str(), asked.id.as_str()), (unit, id));
        }
    }

    #[test]
    fn what_systemd_does_not_bind_for_a_unit_is_foreign() {
        for name in [
            "",
            "/unit/app.service/key",
            "g/unit/app.service/key",
            "A/unit/app.service/key",
            "12345678901234567/unit/app.service/key",
            "1/Unit/app.service/key",
            "1/cryptsetup/volume",
            "1/unit/app.service",
            "1/unit/app.service/a/b",
            "1/unit/app.service/key/",
            "1//unit/app.service/key",
        ] {
            assert_eq!(parse(name), Err(NotAsked::Foreign), "{name:?}");
        }
        assert_eq!(Asked::parse(b"1/unit/app.service/\xff"), Err(NotAsked::Foreign));
    }

    #[test]
    fn what_we_do_not_give_is_named_safely() {
        for name in [
            "1/unit/app.socket/key",
            "1/unit/web@.service/key",
            "1/unit//key",
            "1/unit/app.service/",
            "1/unit/app.service/k:y",
        ] {
            assert!(matches!(parse(name), Err(NotAsked::Unfit { .. })), "{name:?}");
        }
        let Err(NotAsked::Unfit { unit, id, .. }) = parse("1/unit/a\u{1b}[2J/b\nc") else { panic!() };
        assert_eq!((unit.as_str(), id.as_str()), ("a\\u{1b}[2J", "b\\nc"));
    }

    #[test]
    fn there_is_room_for_as_much_as_is_said() {
        let random = "f".repeat(16);
        let (unit, id) = ("app.service", "k".repeat(UNIT_AND_ID_BYTES_MAX - "app.service".len()));
        let name = format!("{random}/unit/{unit}/{id}");
        let address = |name: &str| nix::sys::socket::UnixAddr::new_abstract(name.as_bytes());
        assert!(address(&name).is_ok());
        assert!(address(&format!("{name}k")).is_err());
    }
}
