//! Environment files: lines `VAR=VALUE` and `VAR=vault:NAME`.
//!
//! Blank lines and lines that begin with `#` are skipped, `export ` before a variable is allowed. A value is everything after
//! the first `=`, without spaces around it; one pair of quotes round all of it is taken away. Nothing is expanded. Errors
//! name the line and never show it.

use std::io::Read as _;
use std::path::Path;

use super::reference::{Use, What, is_variable};
use crate::failure::Failure;

/// Larger files are no environment.
const FILE_BYTES_MAX: u64 = 1 << 20;
const SCHEME: &str = "vault:";

/// Reads the file.
///
/// # Errors
/// When it cannot be read, or a line is not understood.
pub fn read(path: &Path) -> Result<Vec<(String, What)>, Failure> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| Failure::io(format_args!("cannot read '{}'", path.display()), &error, "check --env-file"))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::usage(
            format_args!("'{}' is longer than {FILE_BYTES_MAX} bytes", path.display()),
            "name a file of lines VAR=VALUE",
        ));
    }
    parse(&text).map_err(|(line, what)| {
        Failure::usage(format_args!("'{}', line {line}: {what}", path.display()), "write VAR=VALUE or VAR=vault:NAME")
    })
}

fn parse(text: &str) -> Result<Vec<(String, What)>, (usize, &'static str)> {
    let mut variables = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        variables.push(parse_line(line).map_err(|what| (index + 1, what))?);
    }
    Ok(variables)
}

fn parse_line(line: &str) -> Result<(String, What), &'static str> {
    let (variable, value) = line.split_once('=').ok_or("there is no '='")?;
    let variable = variable.strip_prefix("export ").unwrap_or(variable).trim();
    if !is_variable(variable) {
        return Err("a variable has letters, digits and '_' only");
    }
    let value = unquote(value.trim())?;
    if value.contains('\0') {
        return Err("a value has no NUL character");
    }
    let what = match value.strip_prefix(SCHEME) {
        Some("") => return Err("the name of the token is missing"),
        Some(name) => What::Token(name.to_owned(), Use::Environment),
        None => What::Text(value.to_owned()),
    };
    Ok((variable.to_owned(), what))
}

fn unquote(value: &str) -> Result<&str, &'static str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.strip_suffix(quote).ok_or("the closing quote is missing");
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> What {
        What::Text(value.to_owned())
    }

    #[test]
    fn plain_values_and_references_are_told_apart() {
        let parsed = parse("# comment\n\nA=1\nexport B = vault:ci/key\nC='vault:x y'\nD=\"a=b # c\"\nE=\n").unwrap();
        let expected = [
            ("A", text("1")),
            ("B", What::Token("ci/key".into(), Use::Environment)),
            ("C", What::Token("x y".into(), Use::Environment)),
            ("D", text("a=b # c")),
            ("E", text("")),
        ];
        assert_eq!(parsed, expected.map(|(variable, what)| (variable.to_owned(), what)));
    }

    #[test]
    fn nothing_is_expanded() {
        assert_eq!(parse("A=$HOME\\n`id`").unwrap(), [("A".to_owned(), text("$HOME\\n`id`"))]);
    }

    #[test]
    fn a_bad_line_is_named_and_not_shown() {
        for (bad, what) in [
            ("A=1\nhunter2", "there is no '='"),
            ("A=1\n1B=hunter2", "a variable has letters, digits and '_' only"),
            ("A=1\nB=\"hunter2", "the closing quote is missing"),
            ("A=1\nB=vault:", "the name of the token is missing"),
            ("A=1\nB=\"", "the closing quote is missing"),
        ] {
            assert_eq!(parse(bad).unwrap_err(), (2, what));
        }
    }

    #[test]
    fn the_failure_names_file_and_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env");
        std::fs::write(&path, "A=1\nhunter2\n").unwrap();
        let line = read(&path).unwrap_err().line().unwrap();
        assert!(line.contains("env', line 2: there is no '='; "), "{line}");
        assert!(!line.contains("hunter2"));
    }
}
