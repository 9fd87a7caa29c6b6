//! A software TPM for a container: behind a pseudo-terminal, so that it is a device file like any TPM's.
//!
//! A unit without network and with Unix sockets alone cannot reach a software TPM in another way. It has no resource
//! manager: one process uses it at a time, as the worker does.

use std::fs::{self, Permissions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;
use tokenvault_tests::process::Process;

/// It takes no standard stream for its line.
const SWTPM: &str =
    "exec swtpm chardev --tpm2 --fd 3 --flags startup-clear,not-need-init --tpmstate dir=\"$1\" 3<&0 </dev/null";

/// A TPM that is switched on; cut off when dropped.
#[derive(Debug)]
pub struct Chip {
    device: PathBuf,
    // The line must not hang up between two users of the chip.
    _line: OwnedFd,
    _process: Process,
}

impl Chip {
    /// Switches on the chip whose state is in `directory`; a new directory is a new chip.
    pub fn start(directory: &Path) -> Self {
        fs::create_dir_all(directory).expect("the directory of a TPM");
        let line = openpty(None, None).expect("a pseudo-terminal");
        for end in [line.master.as_fd(), line.slave.as_fd()] {
            let mut mode = tcgetattr(end).expect("the mode of a terminal");
            cfmakeraw(&mut mode);
            tcsetattr(end, SetArg::TCSANOW, &mode).expect("a raw terminal");
        }
        let device = ttyname(&line.slave).expect("the name of a terminal");
        fs::set_permissions(&device, Permissions::from_mode(0o666)).expect("a device for every user");
        let child = Command::new("sh")
            .args(["-c", SWTPM, "swtpm"])
            .arg(directory)
            .stdin(line.master)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("swtpm must be installed");
        Self { device, _line: line.slave, _process: Process::adopt(child) }
    }

    /// The device file.
    pub fn device(&self) -> &Path {
        &self.device
    }
}
