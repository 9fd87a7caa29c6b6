//! What a test has shown, in figures, for who reads its output: also that of a test that passes.

use std::io::{self, Write};

/// Prints the figure of a promise of the threat and durability tables, by its name there. `make proof` reads it.
pub fn proof(promise: &str, figure: &str) {
    io::stdout().write_all(format!("proof: {promise}: {figure}\n").as_bytes()).expect("standard output");
}
