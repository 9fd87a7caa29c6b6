//! Every seed, and everything that was found once, is read as it should be; and a little change of each.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use tokenvault_fuzz::{TARGETS, Target};

fn files(kind: &str, target: &Target) -> Vec<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target.name);
    let Ok(entries) = fs::read_dir(place) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_seed_and_everything_that_was_found_is_read_as_it_should_be() {
    for target in &TARGETS {
        let seeds = files("seeds", target);
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for path in seeds.iter().chain(&files("found", target)) {
            let bytes = fs::read(path).unwrap();
            (target.run)(&bytes);
            // Cut off, and with one byte changed.
            for at in (0..bytes.len()).step_by((bytes.len() / 64).max(1)) {
                (target.run)(&bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] ^= 0x41;
                (target.run)(&changed);
            }
        }
    }
}
