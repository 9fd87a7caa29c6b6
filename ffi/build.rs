//! Names the shared library for the dynamic loader, and gives its symbols their version.

use std::env::var_os;
use std::path::Path;
use std::process::{Command, Stdio};

/// The name programs are linked to. It changes when, and only when, the ABI breaks.
const SONAME: &str = "libtokenvault.so.0";
/// Which functions are exported, and their version.
const MAP: &str = "libtokenvault.map";
/// Puts the map in the place of rustc's own.
const LINK: &str = "link-versioned";

fn main() {
    for file in ["build.rs", MAP, LINK] {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
    version_symbols();
    // The loader looks for the soname, so a program linked in the build tree needs a file of that name beside the
    // library. Where it cannot be made, only that convenience is lost.
    let out = var_os("OUT_DIR").unwrap_or_default();
    if let Some(profile) = Path::new(&out).ancestors().nth(3) {
        let _ = std::os::unix::fs::symlink("libtokenvault.so", profile.join(SONAME));
    }
}

/// Has gcc link the library through [`LINK`]. Where that is not to be had, the library works all the same and says that it
/// must not be shipped; `packaging/install` refuses it.
fn version_symbols() {
    let directory = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    // gcc takes the wrapper and its arguments as one word, divided by commas.
    if !has_wrapper() || directory.contains(',') {
        println!(
            "cargo:warning=libtokenvault.so has no symbol versions and is for this machine alone: that takes gcc as \
             the linker, and a source directory without a comma in its path"
        );
        return;
    }
    println!("cargo:rustc-cdylib-link-arg=-wrapper");
    println!("cargo:rustc-cdylib-link-arg=/bin/sh,{directory}/{LINK},{directory}/{MAP}");
}

/// Whether the program that links is a compiler with gcc's option `-wrapper`. Others refuse the word.
fn has_wrapper() -> bool {
    let linker = var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let mut probe = Command::new(linker);
    probe.args(["-wrapper", "/bin/true", "-E", "-x", "c", "/dev/null"]);
    let status = probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
