//! Writes `include/tokenvault.h` from the sources, or checks that it is what they give.
//!
//! `header FILE` writes, `header --check FILE` compares.

use std::path::Path;
use std::process::ExitCode;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [file] => std::fs::write(file, generate()?).map(|()| ExitCode::SUCCESS).map_err(Into::into),
        [flag, file] if flag == "--check" => check(file),
        _ => Err("usage: header [--check] FILE".into()),
    }
}

fn check(file: &str) -> Result<ExitCode, Failure> {
    if std::fs::read(file)? == generate()? {
        return Ok(ExitCode::SUCCESS);
    }
    Err(format!("{file} is not what ffi/src gives; run 'make header' and commit it").into())
}

fn generate() -> Result<Vec<u8>, Failure> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(directory.join("cbindgen.toml"))?;
    let mut header = Vec::new();
    cbindgen::Builder::new().with_crate(directory).with_config(config).generate()?.write(&mut header);
    Ok(header)
}
