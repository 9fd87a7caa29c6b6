//! What the suites over the vector files share.

use std::path::Path;

use serde_json::Value;
use tokenvault_core::Secret;
use tokenvault_core::port::HeapMemory;

/// A file of `tests/vectors`.
pub fn vectors(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The list `key` of a file, each with its name. An empty list would make a suite pass for nothing.
pub fn cases<'a>(file: &'a Value, key: &str) -> Vec<(&'a str, &'a Value)> {
    let cases = file[key].as_array().expect("a list of cases");
    assert!(!cases.is_empty());
    cases.iter().map(|case| (case["name"].as_str().expect("a name"), case)).collect()
}

/// A hexadecimal string.
pub fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("a hexadecimal string");
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal")).collect()
}

/// A copy in secret memory.
pub fn secret(bytes: &[u8]) -> Secret {
    Secret::copy_from(&HeapMemory, bytes).expect("heap memory")
}

/// Compares an outcome with the one the case expects: the same bytes, or an error of that variant.
pub fn check<E: std::fmt::Debug>(name: &str, case: &Value, outcome: Result<Vec<u8>, E>, expected: &[u8]) {
    match (outcome, case["error"].as_str()) {
        (Ok(bytes), None) => assert!(bytes == expected, "'{name}' gave other bytes"),
        (Ok(_), Some(error)) => panic!("'{name}' was taken instead of {error}"),
        (Err(error), None) => panic!("'{name}' was refused: {error:?}"),
        (Err(found), Some(error)) => {
            let found = format!("{found:?}");
            // An expectation without arguments stands for any.
            let variant = if error.contains('(') { &found } else { found.split('(').next().unwrap_or(&found) };
            assert_eq!(variant, error, "'{name}'");
        }
    }
}
