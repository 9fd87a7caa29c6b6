//! Numbers of the command line, by what they count.

use std::ops::RangeInclusive;
use std::os::fd::RawFd;
use std::str::FromStr;

use tokenvault_proto::{ATTEMPTS_MAX, CODE_LENGTHS, GENERATE_LENGTH_MAX, KEEP_VERSIONS_MAX, QUOTA_AS_CONFIGURED};

use super::Malformed;

/// The number of a version.
///
/// # Errors
/// [`Malformed`], as for every function of this module, with the numbers that are taken.
pub fn version(text: &str) -> Result<u64, Malformed> {
    number(text, 1..=u64::MAX, || {
        Malformed::new("is not the number of a version", "write one that 'tokenvault versions NAME' shows, from 1 on")
    })
}

/// The number of a version that is expected; 0 for none.
pub fn expected_version(text: &str) -> Result<u64, Malformed> {
    number(text, 0..=u64::MAX, || {
        Malformed::new(
            "is not the number of a version",
            "write the current one from 1 on, or 0 for a token that is not there",
        )
    })
}

/// How many versions are kept.
pub fn kept_versions(text: &str) -> Result<u32, Malformed> {
    number(text, 1..=KEEP_VERSIONS_MAX, || count(KEEP_VERSIONS_MAX, "write how many versions to keep, such as 10"))
}

/// How many backups are kept.
pub fn kept_backups(text: &str) -> Result<u32, Malformed> {
    number(text, 1..=u32::MAX, || count(u32::MAX, "write how many backups to keep, such as 14"))
}

/// How many digits a code has.
pub fn digits(text: &str) -> Result<u32, Malformed> {
    number(text, CODE_LENGTHS, || Malformed {
        what: format!("is not a whole number from {} to {}", CODE_LENGTHS.start(), CODE_LENGTHS.end()).into(),
        accepted: "write how many digits to make, such as 6".into(),
    })
}

/// How many wrong codes may be tried.
pub fn attempts(text: &str) -> Result<u32, Malformed> {
    number(text, 1..=ATTEMPTS_MAX, || count(ATTEMPTS_MAX, "write how many wrong codes may be tried, such as 5"))
}

/// How often a share, or something issued, may be used.
pub fn uses(text: &str) -> Result<u32, Malformed> {
    number(text, 1..=u32::MAX, || count(u32::MAX, "write how often it may be used, such as 1"))
}

/// Most that a user may have: a number, `off` (or 0, as in the interface) or `default`.
pub fn quota(text: &str) -> Result<u64, Malformed> {
    match text {
        "off" => Ok(0),
        "default" => Ok(QUOTA_AS_CONFIGURED),
        _ => number(text, 0..=QUOTA_AS_CONFIGURED - 1, || {
            Malformed::new("is no quota", "write a whole number, 'off' or 'default'")
        }),
    }
}

/// How many rows are listed.
pub fn rows(text: &str) -> Result<u32, Malformed> {
    number(text, 1..=u32::MAX, || count(u32::MAX, "write how many to list, such as 100"))
}

/// How many records are listed.
pub fn records(text: &str) -> Result<u32, Malformed> {
    number(text, 1..=u32::MAX, || count(u32::MAX, "write how many records to list, such as 100"))
}

/// The number of a user.
pub fn uid(text: &str) -> Result<u32, Malformed> {
    number(text, 0..=u32::MAX, || Malformed::new("is not the number of a user", "write a uid, such as 1000"))
}

/// How many characters are generated.
pub fn characters(text: &str) -> Result<u32, Malformed> {
    number(text, 1..=GENERATE_LENGTH_MAX, || {
        count(GENERATE_LENGTH_MAX, "write how many characters to make, such as 32")
    })
}

/// The number of a descriptor that the caller of the program opened.
pub fn descriptor(text: &str) -> Result<RawFd, Malformed> {
    number(text, 0..=RawFd::MAX, || {
        Malformed::new("is not the number of a descriptor", "write the number of an open one, such as 3 after '3<FILE'")
    })
}

/// The number of a slot.
pub fn slot(text: &str) -> Result<u32, Malformed> {
    number(text, 0..=u32::MAX, || {
        Malformed::new("is not the number of a slot", "write one that 'tokenvaultctl slot list' shows")
    })
}

fn number<T: FromStr + PartialOrd>(
    text: &str,
    range: RangeInclusive<T>,
    malformed: impl FnOnce() -> Malformed,
) -> Result<T, Malformed> {
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(malformed)
}

fn count(most: u32, accepted: &'static str) -> Malformed {
    Malformed { what: format!("is not a whole number from 1 to {most}").into(), accepted: accepted.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_taken_and_what_is_beyond_them_is_not() {
        assert_eq!((version("1"), version("18446744073709551615")), (Ok(1), Ok(u64::MAX)));
        assert_eq!((expected_version("0"), kept_versions("1000"), characters("4096")), (Ok(0), Ok(1000), Ok(4096)));
        assert_eq!((rows("4294967295"), descriptor("0"), slot("0")), (Ok(u32::MAX), Ok(0), Ok(0)));
        assert!(version("0").is_err() && version("18446744073709551616").is_err());
        assert!(kept_versions("0").is_err() && kept_versions("1001").is_err());
        assert!(characters("0").is_err() && characters("4097").is_err());
        assert_eq!((digits("4"), digits("32"), attempts("100")), (Ok(4), Ok(32), Ok(100)));
        assert!(digits("3").is_err() && digits("33").is_err() && attempts("0").is_err() && attempts("101").is_err());
        assert!(rows("0").is_err() && rows("4294967296").is_err());
        assert!(descriptor("2147483648").is_err() && slot("4294967296").is_err());
    }

    #[test]
    fn a_quota_is_a_number_or_a_word() {
        assert_eq!((quota("off"), quota("0"), quota("default"), quota("7")), (Ok(0), Ok(0), Ok(u64::MAX), Ok(7)));
        for text in ["-1", "none", "18446744073709551615"] {
            assert!(quota(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_whole_number_is_told_what_would_be() {
        for text in ["", "x", "-1", "1.5", "1e3", " 1", "0x10", "٣"] {
            assert_eq!(kept_versions(text).unwrap_err().what, "is not a whole number from 1 to 1000", "{text}");
            for malformed in [version(text).err(), expected_version(text).err(), rows(text).err()] {
                assert!(malformed.is_some_and(|malformed| malformed.what.starts_with("is not ")), "{text}");
            }
            assert!(characters(text).is_err() && descriptor(text).is_err() && slot(text).is_err(), "{text}");
        }
    }
}
