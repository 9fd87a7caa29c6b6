//! A value on its way out: raw bytes, or beside the metadata as JSON. Only where the user said that it may be seen.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokenvault_client::{Value, ValueStream};
use tokenvault_proto::{Plain, TokenInfo};

use crate::common::Context;
use crate::failure::Failure;
use crate::output::{SCHEMA, bytes, defuse};
use crate::secret::SecretBytes;

/// Longest value that is read whole before it is written.
const WHOLE_BYTES_MAX: u64 = 65_536;
/// What is read at a time of longer ones.
const PIECE_BYTES: usize = 65_536;
/// Whoever waits longer is told how far it is, and again after as long.
const TOLD_AFTER: Duration = Duration::from_millis(500);

/// Room for the metadata of a token as JSON, beside its name and attributes.
const METADATA_BYTES: usize = 4_096;
/// A character of the metadata or the value takes this much at most once it is escaped.
const ESCAPED_BYTES: usize = 6;

/// Refuses to show a value on a terminal, unless it is to be revealed.
///
/// # Errors
/// When standard output is a terminal and `revealed` is not set; `option` is how to set it.
pub fn check_may_be_seen(context: &Context, revealed: bool, option: &str) -> Result<(), Failure> {
    if context.output.is_terminal() && !revealed {
        return Err(Failure::usage(
            "standard output is a terminal, and the value would stay on its screen",
            format_args!("send it to a file or program, or add {option}"),
        ));
    }
    Ok(())
}

/// Writes the value, byte for byte. On a terminal a line feed ends it, so that the prompt does not stand behind it.
pub fn write(context: &Context, value: &Value, newline: bool) -> Result<(), Failure> {
    if context.output.wants_json() {
        return write_json(context, value);
    }
    context.output.write(value.data())?;
    end(context, value.data().last().copied(), newline)
}

/// The same with a value that is still to be read: a long one is written as it comes.
pub fn write_stream(context: &Context, value: ValueStream, newline: bool) -> Result<(), Failure> {
    if context.output.wants_json() || value.info().size <= WHOLE_BYTES_MAX {
        return write(context, &value.read_whole()?, newline);
    }
    let last = write_pieces(context, value)?;
    end(context, last, newline)
}

fn end(context: &Context, last: Option<u8>, newline: bool) -> Result<(), Failure> {
    let line_feed = newline || context.output.is_terminal() && last != Some(b'\n');
    if line_feed { context.output.write(b"\n") } else { Ok(()) }
}

/// Writes a long value as it comes; its last byte.
fn write_pieces(context: &Context, mut value: ValueStream) -> Result<Option<u8>, Failure> {
    let mut progress = context.output.progress();
    let (mut piece, mut last, mut told) = (SecretBytes::zeroed(PIECE_BYTES), None, Instant::now());
    loop {
        let count = value.read(piece.expose_mut())?;
        let Some(read) = piece.expose().get(..count).filter(|read| !read.is_empty()) else { return Ok(last) };
        context.output.write(read)?;
        last = read.last().copied();
        // Beside the value itself there is no room for the line.
        if told.elapsed() >= TOLD_AFTER && !context.output.is_terminal() {
            progress.show(&format!("{} of {}", bytes(value.count()), bytes(value.info().size)));
            told = Instant::now();
        }
    }
}

/// Metadata and value: `value` when it is text, else `value-base64`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    #[serde(flatten)]
    info: Plain<'a, TokenInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(rename = "value-base64", skip_serializing_if = "Option::is_none")]
    base64: Option<Base64<'a>>,
}

/// Built in secret buffers of their final size and never in a string, so that the value leaves no copy behind.
fn write_json(context: &Context, value: &Value) -> Result<(), Failure> {
    let text = std::str::from_utf8(value.data()).ok();
    let info = value.info();
    let document = Document {
        schema: SCHEMA,
        info: Plain(info),
        value: text,
        base64: text.is_none().then_some(Base64(value.data())),
    };
    let attributes: usize = info.attributes.iter().map(|(key, value)| key.len() + value.len() + 16).sum();
    let note = info.note.as_ref().map_or(0, String::len);
    let strings = info.name.len() + info.content_type.len() + note + attributes + value.data().len();
    let capacity = METADATA_BYTES + ESCAPED_BYTES * strings;
    let mut json = SecretBytes::with_capacity(capacity);
    let mut safe = SecretBytes::with_capacity(capacity);
    let written = if context.output.pretty() {
        serde_json::to_writer_pretty(&mut json, &document)
    } else {
        serde_json::to_writer(&mut json, &document)
    };
    written
        .map_err(io::Error::from)
        .and_then(|()| defuse(std::str::from_utf8(json.expose()).unwrap_or_default(), &mut safe))
        .and_then(|()| safe.write_all(b"\n"))
        .map_err(|error| Failure::io("cannot write the result as JSON", &error, "leave --json out"))?;
    context.output.write(safe.expose())
}

/// Bytes in the standard base64 of RFC 4648, with padding.
struct Base64<'a>(&'a [u8]);

impl std::fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for chunk in self.0.chunks(3) {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for place in 0..4 {
                let digit = if place <= chunk.len() { digit(bits >> (18 - 6 * place) & 0x3f) } else { '=' };
                std::fmt::Write::write_char(f, digit)?;
            }
        }
        Ok(())
    }
}

impl Serialize for Base64<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn digit(value: u32) -> char {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let index = usize::try_from(value).unwrap_or_default();
    DIGITS.get(index).copied().map_or('=', char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in cases {
            assert_eq!(Base64(bytes.as_bytes()).to_string(), text);
        }
        assert_eq!(Base64(&[0xfb, 0xff]).to_string(), "+/8=");
    }
}
