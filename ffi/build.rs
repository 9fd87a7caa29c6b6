//! Names the shared library for the dynamic loader.

use std::path::Path;

/// The name programs are linked to. It changes when, and only when, the ABI breaks.
const SONAME: &str = "libtokenvault.so.0";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
    // The loader looks for the soname, so a program linked in the build tree needs a file of that name beside the
    // library. Where it cannot be made, only that convenience is lost.
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    if let Some(profile) = Path::new(&out).ancestors().nth(3) {
        let _ = std::os::unix::fs::symlink("libtokenvault.so", profile.join(SONAME));
    }
}
