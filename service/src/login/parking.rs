//! Where open login keys are kept over a restart of the daemon: a memory file that the service manager holds, wrapped under a
//! key of the vault. A stop ends it with the service; so does a reboot.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::memfd::{MFdFlags, memfd_create};
use tokenvault_core::Error;
use tokenvault_core::login::leave_out_parked;
use tokenvault_core::vault::Vault;

use crate::sys::listen::Passed;
use crate::sys::manager;

/// What the file is called while the service manager keeps it.
const NAME: &str = "logins";

/// The file.
pub struct Parking(Mutex<Parked>);

struct Parked {
    file: File,
    /// What was parked before the restart, and is not open again yet.
    before: Option<Vec<u8>>,
}

impl Parking {
    /// The file that was kept, or a new one.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(passed: &mut Passed) -> io::Result<Self> {
        let (file, before) = match passed.take(NAME) {
            Some(fd) => {
                let mut file = File::from(fd);
                let mut before = Vec::new();
                io::Seek::rewind(&mut file)?;
                file.read_to_end(&mut before)?;
                (file, Some(before))
            }
            None => (File::from(memfd_create(c"tokenvault-logins", MFdFlags::MFD_CLOEXEC)?), None),
        };
        manager::keep_only(&file, NAME);
        Ok(Self(Mutex::new(Parked { file, before })))
    }

    /// Opens what was parked, once; whose logins.
    pub(super) fn restore(&self, vault: &Vault) -> Result<Vec<u32>, Error> {
        let mut parked = self.parked();
        let Some(before) = parked.before.as_deref() else { return Ok(Vec::new()) };
        let restored = vault.restore_logins(before)?;
        parked.before = None;
        drop(parked);
        self.park(vault);
        Ok(restored)
    }

    /// Parks what is open now. What was parked before stays until it was opened again.
    pub(super) fn park(&self, vault: &Vault) {
        let parked = self.parked();
        if parked.before.is_some() {
            return;
        }
        let result = vault.park_logins().map_err(|error| error.to_string());
        let written = result.and_then(|keys| write(&parked.file, &keys).map_err(|error| error.to_string()));
        if let Err(error) = written {
            log::warn!("open logins will not outlast a restart of the daemon: {error}");
        }
    }

    /// Does not open that of a uid again.
    pub(super) fn leave_out(&self, uid: u32) {
        let mut parked = self.parked();
        let Some(before) = parked.before.as_deref() else { return };
        let rest = leave_out_parked(before, uid).unwrap_or_default();
        if let Err(error) = write(&parked.file, &rest) {
            log::warn!("a parked login could not be forgotten: {error}");
        }
        parked.before = Some(rest);
    }

    /// Parks nothing.
    pub(super) fn forget(&self) {
        let mut parked = self.parked();
        parked.before = None;
        if let Err(error) = write(&parked.file, &[]) {
            log::warn!("parked logins could not be forgotten: {error}");
        }
    }

    fn parked(&self) -> MutexGuard<'_, Parked> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is cut off by a crash does not open, and its users unlock again.
fn write(file: &File, bytes: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(bytes, 0)
}
