//! What the suites of this test share.

use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokenvault_core::Secret;
use tokenvault_core::port::{HeapMemory, SealError, SealedBlob};
use tokenvault_tests::program;
use tokenvault_tests::swtpm::Swtpm;
use tokenvault_tpm::SECRET_LEN;
use tokenvaultd::tpm::WorkerSealer;

/// Nothing in this test may take longer.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Found nowhere by chance.
pub const SECRET: [u8; SECRET_LEN] = *b"\x9e\x01the sealed secret of one test\x17";

/// A chip that is on, with its directory.
pub struct Machine {
    pub chip: Swtpm,
    pub directory: TempDir,
    started: Instant,
}

impl Machine {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut chip = Swtpm::reserve(&directory.path().join("tpm"));
        chip.start();
        Self { chip, directory, started: Instant::now() }
    }

    pub fn sealer(&self) -> WorkerSealer {
        sealer(&self.chip.tcti())
    }

    /// A command of tpm2-tools, which must succeed.
    pub fn tool(&self, tcti: &str, arguments: &[&str]) {
        let output = Command::new("tpm2")
            .args(arguments)
            .current_dir(self.directory.path())
            .env("TPM2TOOLS_TCTI", tcti)
            .output()
            .expect("tpm2-tools must be installed");
        assert!(output.status.success(), "tpm2 {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.started.elapsed() < LIMIT, "took {:?}", self.started.elapsed());
        }
    }
}

pub fn sealer(tcti: &str) -> WorkerSealer {
    WorkerSealer::new(program::path("tokenvault-tpm"), tcti, Arc::new(HeapMemory))
}

pub fn secret() -> Secret {
    Secret::copy_from(&HeapMemory, &SECRET).unwrap()
}

/// Asserts that the secret came back, or says which error did.
#[track_caller]
pub fn assert_opens(result: Result<Secret, SealError>) {
    match result {
        Ok(opened) => assert!(opened.expose() == SECRET, "another secret came back"),
        Err(error) => panic!("{error}"),
    }
}

/// The error of an unseal that must not succeed.
#[track_caller]
pub fn error_of(result: Result<Secret, SealError>) -> SealError {
    result.err().expect("it opened")
}

/// The worker with a socket to it, for requests the daemon does not make.
pub fn spawn_worker() -> (std::process::Child, UnixStream) {
    let (socket, theirs) = UnixStream::pair().unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let child = Command::new(program::path("tokenvault-tpm"))
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (child, socket)
}

/// Flips one bit of one of the parts.
pub fn flipped(blob: &SealedBlob, part: impl FnOnce(&mut SealedBlob) -> &mut Vec<u8>, bit: usize) -> SealedBlob {
    let mut damaged = blob.clone();
    let bytes = part(&mut damaged);
    let index = bit / 8 % bytes.len();
    bytes[index] ^= 1 << (bit % 8);
    damaged
}
