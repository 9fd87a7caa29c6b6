//! Durations: `90s`, `15m`, `12h`, `30d`, `2w`, and sums of them such as `1h30m`.

use super::Malformed;

const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];
const USEC_PER_SEC: u64 = 1_000_000;
const FORMS: &str = "write a number and its unit, as in 90s, 15m, 12h, 30d, 2w, or a sum such as 1h30m";

/// Microseconds of a duration.
///
/// # Errors
/// [`Malformed`] when it is not one, is zero, or is longer than 64 bits of microseconds.
pub fn duration(text: &str) -> Result<u64, Malformed> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let mut after = tail.chars();
        let unit = after.next().and_then(|letter| UNITS.iter().find(|(known, _)| *known == letter));
        let (Some((_, seconds)), false) = (unit, number.is_empty()) else {
            let unit_is_missing = tail.is_empty() && !number.is_empty();
            return Err(Malformed::new(if unit_is_missing { "has no unit" } else { "is not a duration" }, FORMS));
        };
        let piece = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds * USEC_PER_SEC));
        total = piece.and_then(|piece| total.checked_add(piece)).ok_or(Malformed::new("is too long", FORMS))?;
        rest = after.as_str();
    }
    match total {
        0 if text.is_empty() => Err(Malformed::new("is not a duration", FORMS)),
        0 => Err(Malformed::new("is no time at all", FORMS)),
        _ => Ok(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_and_sums_are_understood() {
        let cases =
            [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600), ("1h30m", 5_400)];
        for (text, seconds) in cases {
            assert_eq!(duration(text), Ok(seconds * 1_000_000), "{text}");
        }
    }

    #[test]
    fn a_number_without_unit_is_told_so() {
        assert_eq!(duration("90").unwrap_err().what, "has no unit");
        assert_eq!(duration("1h30").unwrap_err().what, "has no unit");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "s",
            "-1s",
            "1.5h",
            "1 h",
            "1y",
            "1H",
            "é",
            "1é",
            "0s",
            "0s0m",
            "99999999999999999999s",
            "99999999w",
            "٣s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
