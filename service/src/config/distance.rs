//! Distances in time as they are written: a number and its unit, as in `7d`, `12h`, `30m`, `90s`, `2w`.

use tokenvault_core::token::Ahead;

use super::ConfigError;

/// Microseconds of a day.
pub(super) const DAY_USEC: u64 = 86_400_000_000;

const UNITS: [(char, u64); 5] =
    [('s', 1_000_000), ('m', 60_000_000), ('h', 3_600_000_000), ('d', DAY_USEC), ('w', 7 * DAY_USEC)];
/// Longest one: ten years.
const MOST_USEC: u64 = 3_653 * DAY_USEC;

/// The distances of `notify.expiring-before`, microseconds.
///
/// # Errors
/// The first one that is none; too many.
pub(super) fn distances(words: &[String]) -> Result<Vec<u64>, ConfigError> {
    let distances: Result<Vec<u64>, ConfigError> = words.iter().map(|word| distance(word)).collect();
    let distances = distances?;
    Ahead::new(&distances).map_err(|error| ConfigError(format!("'notify.expiring-before': {error}")))?;
    Ok(distances)
}

fn distance(word: &str) -> Result<u64, ConfigError> {
    let unit = |(letter, usec): &(char, u64)| word.strip_suffix(*letter).map(|number| (number, *usec));
    let (number, usec) = UNITS.iter().find_map(unit).unwrap_or(("", 0));
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    let distance = number.parse::<u64>().ok().filter(|_| is_number).and_then(|number| number.checked_mul(usec));
    distance.filter(|distance| (1..=MOST_USEC).contains(distance)).ok_or_else(|| {
        ConfigError(format!(
            "'notify.expiring-before': '{}' is no time, such as 7d, 12h or 30m, of at most ten years",
            word.escape_debug()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_read_and_nothing_else() {
        let all = |words: &[&str]| distances(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(all(&["7d", "90s", "1w"]).unwrap(), [7 * DAY_USEC, 90_000_000, 7 * DAY_USEC]);
        assert_eq!(all(&[]).unwrap(), []);
        for word in ["", "d", "7", "0d", "-1d", "+1d", "1.5h", "7 d", "1y", "99999999999999999999d", "4000d", "\u{e9}"]
        {
            let error = all(&[word]).unwrap_err().to_string();
            assert!(error.contains("expiring-before") && error.lines().count() == 1, "{error}");
        }
        assert!(all(&["1d"; 17]).is_err());
    }
}
