//! The software TPM of a vault to try, where one is installed.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tokenvault_proto::ErrorCode;

use super::rig::{LOOK, PATIENCE};
use crate::failure::Failure;

const NEXT: &str = "mend or remove 'swtpm'; root can try the vault with a host key instead";

/// One that runs; it ends when it is dropped.
pub struct SoftwareTpm {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl SoftwareTpm {
    /// Starts one with its state in `directory`, and waits until it answers; `None` where there is none.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start(directory: &Path) -> Result<Option<Self>, Failure> {
        let log = directory.join("log");
        let failed = |error: std::io::Error| Failure::io("cannot set up the software TPM", &error, NEXT);
        let (port, control) = free_ports().map_err(failed)?;
        let said = File::create(&log).map_err(failed)?;
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "startup-clear,not-need-init", "--tpmstate"])
            .arg(format!("dir={}", directory.display()))
            .args(["--server", &format!("type=tcp,port={port},bindaddr=127.0.0.1")])
            .args(["--ctrl", &format!("type=tcp,port={control},bindaddr=127.0.0.1")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn();
        let Ok(child) = child else { return Ok(None) };
        let mut tpm = Self { child, port, log };
        tpm.wait_for(control)?;
        Ok(Some(tpm))
    }

    /// How it is reached.
    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    fn wait_for(&mut self, control: u16) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            // Before it is looked for: what answers is not it when it has ended.
            let ended = match self.child.try_wait() {
                Ok(None) => None,
                Ok(Some(status)) => Some(format!("ended with {status}")),
                Err(error) => Some(format!("is gone: {error}")),
            };
            let late = (begun.elapsed() >= PATIENCE).then(|| "does not answer".to_owned());
            if let Some(why) = ended.or(late) {
                let cause = format_args!("the software TPM 'swtpm' {why}{}", self.last_words());
                return Err(Failure::new(ErrorCode::Unavailable, cause, NEXT));
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, control)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// What it said last.
    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().last().map(|line| format!(": {line}")).unwrap_or_default()
    }
}

impl Drop for SoftwareTpm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two ports side by side, as the TPM's library expects them.
fn free_ports() -> std::io::Result<(u16, u16)> {
    for _ in 0..100 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let Some(second) = first.checked_add(1) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, second)).is_ok() {
            return Ok((first, second));
        }
    }
    Err(std::io::ErrorKind::AddrInUse.into())
}
