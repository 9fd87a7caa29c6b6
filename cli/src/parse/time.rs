//! Points in time: RFC 3339 with an offset, a local date with or without a time of day, `@SECONDS` since the epoch.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Malformed, duration};

const FORMS: &str = "write 2026-12-31T23:59:00Z, '2026-12-31 23:59', 2026-12-31 or @SECONDS since 1970";

/// Microseconds since the epoch.
///
/// # Errors
/// [`Malformed`] when it is no time after 1970.
pub fn time(text: &str) -> Result<u64, Malformed> {
    time_in(text, TimeZone::system())
}

/// What the clock of this machine shows, microseconds since the epoch; a clock before 1970 counts as 1970.
pub fn time_now() -> u64 {
    u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default()
}

/// As [`time`], or `never`, which the vault writes as 0.
///
/// # Errors
/// As [`time`].
pub fn time_or_never(text: &str) -> Result<u64, Malformed> {
    if text == "never" { Ok(0) } else { time(text).map_err(|malformed| malformed.or(", or never")) }
}

/// As [`time`], or a duration from now.
///
/// # Errors
/// As [`time`].
pub fn time_ahead(text: &str) -> Result<u64, Malformed> {
    match duration(text) {
        Ok(usec) => u64::try_from(Timestamp::now().as_microsecond())
            .ok()
            .and_then(|now| now.checked_add(usec))
            .ok_or(Malformed::new("is too far away", "write a shorter duration")),
        Err(_) => time(text).map_err(|malformed| malformed.or(", or a duration such as 30d")),
    }
}

/// As [`time`], or a duration before now.
///
/// # Errors
/// As [`time`].
pub fn time_ago(text: &str) -> Result<u64, Malformed> {
    match duration(text) {
        Ok(usec) => u64::try_from(Timestamp::now().as_microsecond())
            .ok()
            .and_then(|now| now.checked_sub(usec))
            .ok_or(Malformed::new("is too long ago", "write a shorter duration")),
        Err(_) => time(text).map_err(|malformed| malformed.or(", or how long ago, such as 2h")),
    }
}

fn time_in(text: &str, zone: TimeZone) -> Result<u64, Malformed> {
    let usec = match text.strip_prefix('@') {
        Some(seconds) if seconds.bytes().all(|byte| byte.is_ascii_digit()) => {
            seconds.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000))
        }
        Some(_) => None,
        None => match text.parse::<Timestamp>() {
            Ok(timestamp) => Some(timestamp.as_microsecond()),
            Err(_) => text
                .parse::<DateTime>()
                .and_then(|local| local.to_zoned(zone))
                .ok()
                .map(|zoned| zoned.timestamp().as_microsecond()),
        },
    };
    usec.and_then(|usec| u64::try_from(usec).ok())
        .filter(|usec| *usec > 0)
        .ok_or(Malformed::new("is not a time after 1970", FORMS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YEAR: u64 = 1_767_225_600_000_000;

    #[test]
    fn every_form_names_the_same_moment() {
        let forms =
            ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "@1767225600", "2026-01-01", "2026-01-01 00:00"];
        for text in forms {
            assert_eq!(time_in(text, TimeZone::UTC), Ok(NEW_YEAR), "{text}");
        }
    }

    #[test]
    fn a_time_without_offset_is_local() {
        let zone = TimeZone::fixed(jiff::tz::offset(-5));
        assert_eq!(time_in("2025-12-31 19:00", zone), Ok(NEW_YEAR));
    }

    #[test]
    fn nonsense_and_the_time_before_1970_are_refused() {
        for text in [
            "",
            "@",
            "@-1",
            "@+1",
            "@0",
            "tomorrow",
            "2026-13-01",
            "2026-02-30",
            "1960-01-01",
            "@99999999999999999999",
            "30d",
        ] {
            assert!(time_in(text, TimeZone::UTC).is_err(), "{text}");
        }
    }

    #[test]
    fn never_is_zero_and_only_where_it_is_allowed() {
        assert_eq!(time_or_never("never"), Ok(0));
        assert!(time("never").is_err());
    }

    #[test]
    fn a_duration_counts_back_from_now_where_that_is_meant() {
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap();
        let then = time_ago("1h").unwrap();
        assert!((now - 3_600_000_000..now - 3_500_000_000).contains(&then));
        assert_eq!(time_ago("99w").map(|then| then < now), Ok(true));
        assert_eq!(time_ago("9999w").unwrap_err().what, "is too long ago");
        assert_eq!(time_ago("@1767225600"), Ok(NEW_YEAR));
    }

    #[test]
    fn a_duration_counts_from_now() {
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap();
        let then = time_ahead("1h").unwrap();
        assert!((now + 3_600_000_000..now + 3_700_000_000).contains(&then));
    }
}
