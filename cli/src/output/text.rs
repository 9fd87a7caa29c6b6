//! Single values as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `text` with everything escaped that a terminal would act on or that would turn the direction of what follows.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Control characters, line and paragraph separators, and the marks that reorder text.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The lines of `text`, broken at spaces so that none is longer than `width`; a longer word, a path for one, is broken too.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            for c in word.chars() {
                if line.chars().count() == width {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(c);
            }
        }
        lines.push(line);
    }
    lines
}

/// A point in time, in the local time zone.
pub fn moment(usec: u64) -> String {
    moment_in(usec, TimeZone::system())
}

/// A point in time to the minute, in the local time zone, for the columns of a table.
pub fn minute(usec: u64) -> String {
    written(usec, TimeZone::system(), "%Y-%m-%d %H:%M")
}

/// As [`minute`]; nothing set means never.
pub fn minute_or_never(usec: Option<u64>) -> String {
    usec.map_or_else(|| "never".to_owned(), minute)
}

fn moment_in(usec: u64, zone: TimeZone) -> String {
    written(usec, zone, "%Y-%m-%d %H:%M:%S %Z")
}

fn written(usec: u64, zone: TimeZone, format: &str) -> String {
    match i64::try_from(usec).ok().and_then(|usec| Timestamp::from_microsecond(usec).ok()) {
        Some(timestamp) => timestamp.to_zoned(zone).strftime(format).to_string(),
        None => "after the year 9999".to_owned(),
    }
}

/// As [`moment`]; nothing set means never.
pub fn moment_or_never(usec: Option<u64>) -> String {
    usec.map_or_else(|| "never".to_owned(), moment)
}

/// A length of time in its two largest units.
pub fn span(usec: u64) -> String {
    let seconds = usec / 1_000_000;
    let units = [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("min", seconds / 60 % 60), ("s", seconds % 60)];
    let parts: Vec<String> =
        units.iter().skip_while(|(_, n)| *n == 0).take(2).map(|(unit, n)| format!("{n}{unit}")).collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// A number of bytes, in binary units as systemd writes them.
pub fn bytes(count: u64) -> String {
    let mut unit = 1_u64;
    let mut name = "B";
    for larger in ["K", "M", "G", "T"] {
        if count < unit * 1024 {
            break;
        }
        unit *= 1024;
        name = larger;
    }
    let tenths = u128::from(count) * 10 / u128::from(unit) % 10;
    if tenths == 0 { format!("{}{name}", count / unit) } else { format!("{}.{tenths}{name}", count / unit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_gets_through() {
        assert_eq!(escape("a\u{1b}[2Jb\u{7}\n\u{9b}\u{202e}é漢"), "a\\u{1b}[2Jb\\u{7}\\n\\u{9b}\\u{202e}é漢");
        assert_eq!(escape(&escape("\u{1b}")), escape("\u{1b}"));
    }

    #[test]
    fn lines_are_broken_at_spaces_and_words_only_where_they_do_not_fit() {
        assert_eq!(wrap("a bb ccc dddd\nnew", 6), ["a bb", "ccc", "dddd", "new"]);
        assert_eq!(wrap("äöü äöü", 7), ["äöü äöü"]);
        assert_eq!(wrap("x unbreakable y", 4), ["x", "unbr", "eaka", "ble", "y"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn times_are_written_for_people() {
        assert_eq!(moment_in(1_767_225_600_000_000, TimeZone::UTC), "2026-01-01 00:00:00 UTC");
        assert_eq!(written(1_767_225_659_000_000, TimeZone::UTC, "%Y-%m-%d %H:%M"), "2026-01-01 00:00");
        assert_eq!(moment_in(u64::MAX, TimeZone::UTC), "after the year 9999");
        assert_eq!(moment_or_never(None), "never");
    }

    #[test]
    fn spans_have_their_two_largest_units() {
        let cases = [(0, "0s"), (59, "59s"), (61, "1min 1s"), (3_600, "1h 0min"), (200_000, "2d 7h")];
        for (seconds, text) in cases {
            assert_eq!(span(seconds * 1_000_000), text);
        }
    }

    #[test]
    fn bytes_have_at_most_one_decimal() {
        let cases =
            [(0, "0B"), (1023, "1023B"), (1024, "1K"), (1536, "1.5K"), (67_108_864, "64M"), (u64::MAX, "16777215.9T")];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }
}
