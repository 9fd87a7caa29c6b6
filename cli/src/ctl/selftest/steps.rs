//! The steps. Each says what it has seen, or why it failed.

use std::fs;
use std::path::Path;

use tokenvault_client::{AddSlotOptions, DeleteOptions, ErrorCode, GetOptions, ListOptions, PutOptions};

use super::rig::Rig;

/// A name and a value that can be found wherever they are written.
const NAME: &str = "selftest/marker-7b1e";
const VALUE: &[u8] = b"selftest-value-d02c49aa";

/// A step, and its name.
type Step = (&'static str, fn(&mut Rig) -> Result<String, String>);

/// All of them, in their order.
pub const ALL: [Step; 7] = [
    ("start", start),
    ("make", make),
    ("keep", keep),
    ("restart", restart),
    ("seal", seal),
    ("encrypted", encrypted),
    ("stop", stop),
];

fn start(rig: &mut Rig) -> Result<String, String> {
    rig.start()?;
    Ok("the daemon answers at its socket".into())
}

fn make(rig: &mut Rig) -> Result<String, String> {
    if rig.has_tpm() {
        rig.wait_for_state("serving")?;
        return Ok("a vault was made and sealed to a software TPM".into());
    }
    rig.client()?.add_slot("host-key", &[], &AddSlotOptions::default()).map_err(|error| error.to_string())?;
    rig.wait_for_state("serving")?;
    Ok("a vault was made with a host key; there is no software TPM to try".into())
}

fn keep(rig: &mut Rig) -> Result<String, String> {
    let client = rig.client()?;
    client.put(NAME, VALUE, &PutOptions::default()).map_err(|error| error.to_string())?;
    fetch(rig)?;
    let (tokens, _) = client.list(&ListOptions::default()).map_err(|error| error.to_string())?;
    match tokens.as_slice() {
        [token] if token.name == NAME => Ok("a token was stored, listed and fetched".into()),
        tokens => Err(format!("{} tokens are listed where there is one", tokens.len())),
    }
}

fn restart(rig: &mut Rig) -> Result<String, String> {
    rig.stop()?;
    rig.start()?;
    rig.wait_for_state("serving")?;
    fetch(rig)?;
    Ok("after another start the vault opened by itself and the token is there".into())
}

fn seal(rig: &mut Rig) -> Result<String, String> {
    if !nix::unistd::geteuid().is_root() {
        return Ok("left out: sealing and unsealing is root's".into());
    }
    let client = rig.client()?;
    client.seal().map_err(|error| error.to_string())?;
    match client.get(NAME, &GetOptions::default()) {
        Err(error) if error.code() == ErrorCode::Sealed => {}
        Err(error) => return Err(error.to_string()),
        Ok(_) => return Err("a sealed vault gave a token out".into()),
    }
    client.unseal(&[], &tokenvault_client::UnsealOptions::default()).map_err(|error| error.to_string())?;
    fetch(rig)?;
    Ok("the vault was sealed, gave nothing, and was opened again".into())
}

fn encrypted(rig: &mut Rig) -> Result<String, String> {
    rig.stop()?;
    let mut files = 0;
    search(&rig.state(), &mut files)?;
    rig.start()?;
    rig.wait_for_state("serving")?;
    Ok(format!("neither its name nor its value is to be read in the {files} files of the store"))
}

fn stop(rig: &mut Rig) -> Result<String, String> {
    let client = rig.client()?;
    client.delete(NAME, &DeleteOptions::default()).map_err(|error| error.to_string())?;
    match client.get(NAME, &GetOptions::default()) {
        Err(error) if error.code() == ErrorCode::NotFound => {}
        _ => return Err("a token that was deleted is still there".into()),
    }
    rig.stop()?;
    Ok("the token was deleted and the daemon stopped in order".into())
}

fn fetch(rig: &Rig) -> Result<(), String> {
    let value = rig.client()?.get(NAME, &GetOptions::default()).map_err(|error| error.to_string())?;
    if value.data() == VALUE { Ok(()) } else { Err("another value came back than was stored".into()) }
}

fn search(directory: &Path, files: &mut usize) -> Result<(), String> {
    for entry in fs::read_dir(directory).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            search(&path, files)?;
            continue;
        }
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        *files += 1;
        for marker in [NAME.as_bytes(), VALUE] {
            if bytes.windows(marker.len()).any(|window| window == marker) {
                return Err(format!("the token stands in {} for everyone to read", path.display()));
            }
        }
    }
    Ok(())
}
