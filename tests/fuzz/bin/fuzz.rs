//! Looks for input that a target does not refuse as it should: `fuzz CORPUS [OPTIONS OF LIBFUZZER]`. Which target, the variable
//! `FUZZ_TARGET` says, since every argument is libFuzzer's.
#![no_main]
#![allow(clippy::expect_used, reason = "what cannot go on has found something")]

use std::sync::OnceLock;

use tokenvault_fuzz::{TARGETS, Target};

fn target() -> &'static Target {
    static TARGET: OnceLock<&'static Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
        TARGETS.iter().find(|target| target.name == name).expect("there is such a target")
    })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| (target().run)(data));
