//! The key file of slot `host-key`: 32 random bytes beside the store, for machines without a TPM whose owner has said so.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use tokenvault_core::crypto::{KEY_BYTES, random};
use tokenvault_core::port::SecretMemory;
use tokenvault_core::vault::HostKey;
use tokenvault_core::{Error, Secret};

/// Name of the file in the state directory.
const NAME: &str = "host.key";

/// Where the key lies.
pub struct HostKeyFile {
    path: PathBuf,
    memory: Arc<dyn SecretMemory>,
}

impl HostKeyFile {
    /// The file of this state directory.
    pub fn new(state_dir: &Path, memory: Arc<dyn SecretMemory>) -> Self {
        Self { path: state_dir.join(NAME), memory }
    }

    /// Its contents, as far as the configuration allows.
    pub fn load(&self, allowed: bool) -> HostKey {
        if !allowed {
            return HostKey::NotAllowed;
        }
        match self.read() {
            Ok(key) => HostKey::Key(key),
            Err(error) => HostKey::Unreadable(format!("{}: {error}", self.path.display())),
        }
    }

    /// Its contents; makes the file when there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it can be neither read nor made. A file that is there is never replaced.
    pub fn load_or_make(&self) -> Result<Secret, Error> {
        let failed = |error: io::Error| Error::Unavailable(format!("{}: {error}", self.path.display()));
        match self.read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = random::secret(&*self.memory, KEY_BYTES)?;
                self.write(&key).map_err(failed)?;
                Ok(key)
            }
            read => read.map_err(failed),
        }
    }

    /// Takes the key away; that there was none is as good.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it stays.
    pub fn remove(&self) -> Result<(), Error> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Unavailable(format!(
                "the slot is gone, but its key file stays: {}: {error}; remove it by hand",
                self.path.display()
            ))),
            _ => Ok(()),
        }
    }

    fn read(&self) -> io::Result<Secret> {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).bits())
            .open(&self.path)?;
        let about = file.metadata()?;
        if !about.is_file() || about.uid() != geteuid().as_raw() || about.mode() & 0o077 != 0 {
            return Err(io::Error::other("it must be a file of the daemon's user with mode 0600"));
        }
        if about.len() != KEY_BYTES as u64 {
            return Err(io::Error::other(format!("it must have {KEY_BYTES} bytes")));
        }
        let mut key = Secret::zeroed(&*self.memory, KEY_BYTES).map_err(io::Error::other)?;
        file.read_exact(key.expose_mut())?;
        Ok(key)
    }

    /// Written beside, made durable, then linked: a crash leaves a whole file or none.
    fn write(&self, key: &Secret) -> io::Result<()> {
        let draft = self.path.with_extension("new");
        if let Err(error) = std::fs::remove_file(&draft)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(key.expose())?;
        file.sync_all()?;
        std::fs::hard_link(&draft, &self.path)?;
        std::fs::remove_file(&draft)?;
        match self.path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokenvault_core::port::HeapMemory;

    use super::*;

    fn file(dir: &Path) -> HostKeyFile {
        HostKeyFile::new(dir, Arc::new(HeapMemory))
    }

    #[test]
    fn it_is_made_once_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let made = file(dir.path()).load_or_make().unwrap();
        let again = file(dir.path()).load_or_make().unwrap();
        assert_eq!(made.expose(), again.expose());
        let mode = std::fs::metadata(dir.path().join(NAME)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_readable_short_or_linked_file_is_refused_and_kept() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        std::fs::write(&path, [7; KEY_BYTES]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(file(dir.path()).load(true), HostKey::Unreadable(_)));
        assert!(file(dir.path()).load_or_make().is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(file(dir.path()).load(true), HostKey::Key(_)));
        assert!(matches!(file(dir.path()).load(false), HostKey::NotAllowed));
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(file(dir.path()).load(true), HostKey::Unreadable(_)));
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
    }
}
