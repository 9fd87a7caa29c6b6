//! A software TPM. (Draft of the interface the rest of the harness uses; the TPM part replaces it.)

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::Process;
use crate::wait;

/// One machine's TPM: a state directory and a pair of ports that stay its own while it is switched off.
#[derive(Debug)]
pub struct Swtpm {
    directory: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl Swtpm {
    /// A TPM that is switched off, with its state in `directory`.
    pub fn reserve(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("state")).expect("the TPM's state directory");
        let port = loop {
            let Ok(first) = TcpListener::bind(("127.0.0.1", 0)) else { continue };
            let port = first.local_addr().unwrap().port();
            if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
                break port;
            }
        };
        Self { directory: directory.to_owned(), port, process: None }
    }

    /// `swtpm:host=127.0.0.1,port=N`.
    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// Switches it on.
    pub fn start(&mut self) {
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "startup-clear,not-need-init", "--tpmstate"])
            .arg(format!("dir={}", self.directory.join("state").display()))
            .arg("--server")
            .arg(format!("type=tcp,port={},bindaddr=127.0.0.1", self.port))
            .arg("--ctrl")
            .arg(format!("type=tcp,port={},bindaddr=127.0.0.1", self.port + 1))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("swtpm (package swtpm)");
        self.process = Some(Process::adopt(child));
        wait::until("swtpm to listen", || TcpStream::connect(("127.0.0.1", self.port + 1)).ok());
    }

    /// Switches it off.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Clears it, as from the firmware's menu.
    pub fn clear(&self) {
        let status = Command::new("tpm2").args(["clear", "-c", "p", "-T", &self.tcti()]).status().expect("tpm2-tools");
        assert!(status.success(), "tpm2 clear failed");
    }
}
