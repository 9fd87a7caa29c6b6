//! What a test has shown, in figures, for who reads its output: also that of a test that passes.

use std::env;
use std::io::{self, Write};

/// Prints the figure of a promise of the threat and durability tables, by its name there. `make proof` reads it.
pub fn proof(promise: &str, figure: &str) {
    io::stdout().write_all(format!("proof: {promise}: {figure}\n").as_bytes()).expect("standard output");
}

/// How often a test does something that takes long: as often as the table of promises says when `make proof` runs it, which sets
/// `TOKENVAULT_TEST_FULL`, else as often as is `usual`.
pub fn times(usual: usize, promised: usize) -> usize {
    if env::var_os("TOKENVAULT_TEST_FULL").is_some() { promised } else { usual }
}
