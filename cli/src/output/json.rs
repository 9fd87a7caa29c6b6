//! Results as JSON: one object, first the version of the schema, then the keys of the D-Bus results.

use std::io;

use clap::ValueEnum;
use serde::Serialize;

use super::text::is_unsafe;

/// The version of what `--json` prints. Keys are added within a version, never renamed or taken away.
pub const SCHEMA: &str = "tokenvault/1";

/// How JSON is printed, if at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JsonMode {
    /// Text for people.
    Off,
    /// One line.
    Short,
    /// Indented.
    Pretty,
    /// Indented on a terminal.
    #[value(hide = true)]
    Auto,
}

#[derive(Serialize)]
struct Document<'a, T> {
    schema: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

/// The text of the document, with a line feed at its end. Characters a terminal would act on are written as escapes.
pub fn document(body: &impl Serialize, pretty: bool) -> io::Result<Vec<u8>> {
    let document = Document { schema: SCHEMA, body };
    let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }?;
    let mut safe = Vec::with_capacity(text.len() + 1);
    defuse(&text, &mut safe)?;
    safe.push(b'\n');
    Ok(safe)
}

/// Escapes what the serialiser leaves as it is. Outside of strings JSON has no such characters but the line feed.
pub fn defuse(json: &str, out: &mut impl io::Write) -> io::Result<()> {
    for c in json.chars() {
        if c == '\n' || !is_unsafe(c) {
            out.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn text(body: &impl Serialize, pretty: bool) -> String {
        String::from_utf8(document(body, pretty).unwrap()).unwrap()
    }

    #[test]
    fn the_schema_comes_first_and_the_keys_beside_it() {
        let body = BTreeMap::from([("name", "a"), ("version", "b")]);
        assert_eq!(text(&body, false), "{\"schema\":\"tokenvault/1\",\"name\":\"a\",\"version\":\"b\"}\n");
        assert_eq!(
            text(&body, true),
            "{\n  \"schema\": \"tokenvault/1\",\n  \"name\": \"a\",\n  \"version\": \"b\"\n}\n"
        );
    }

    #[test]
    fn what_a_terminal_would_act_on_is_escaped_and_still_the_same_json() {
        let value = "\u{9b}31m \u{202e} \u{7f} \u{1b} \n";
        let text = text(&BTreeMap::from([("name", value)]), true);
        assert!(text.chars().all(|c| c == '\n' || !is_unsafe(c)), "{text}");
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["name"], value);
    }
}
