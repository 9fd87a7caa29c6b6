//! What the checks look at, asked for once.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tokenvault_client::Client;
use tokenvault_proto::{Address, DEFAULT_SOCKET, DeletionInfo, ErrorCode, Health, Status, UserInfo, WhoAmI};

use super::installed::Installed;
use crate::common::Context;
use crate::failure::{Failure, describe};

/// Kind of the slot that the TPM opens.
const TPM_KIND: &str = "tpm2";
/// The socket that the service manager fetches credentials from, beside the private one.
const CREDENTIALS: &str = "credentials";
/// The units that make the two where the vault is installed.
const SOCKET_UNIT: &str = "tokenvaultd.socket";
const CREDENTIALS_UNIT: &str = "tokenvault-credentials.socket";
/// Where the service manager finds them.
const UNITS: [&str; 4] =
    ["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// It is there where this machine was started by systemd.
const SERVICE_MANAGER: &str = "/run/systemd/system";

/// The state of everything.
pub struct Facts {
    /// The answer of the daemon, or why there is none.
    pub answers: Result<Answers, Silence>,
    /// The private socket, when the vault is looked for at one.
    pub socket: Option<Socket>,
    /// The socket that units are given tokens through, where there should be one or is one.
    pub credentials: Option<Socket>,
    /// What else there is of an installed vault, when that is the one that is meant.
    pub installed: Option<Installed>,
    /// Seconds since the epoch.
    pub now: u64,
}

/// No report of the daemon.
#[derive(Debug, Clone)]
pub struct Silence {
    /// Which error it was.
    pub code: ErrorCode,
    /// Why.
    pub cause: String,
    /// What the error says is to be done.
    pub next: String,
}

/// What the daemon says.
pub struct Answers {
    /// Its state.
    pub status: Status,
    /// Who it takes the caller for.
    pub me: WhoAmI,
    /// Its health.
    pub health: Health,
    /// Whether the vault has a slot that needs the TPM; only root is told.
    pub has_tpm_slot: Option<bool>,
    /// What only root is told.
    pub records: Option<Records>,
}

/// What the vault tells root of others; what it does not know while it is closed is absent.
pub struct Records {
    /// Kinds of the slots.
    pub slots: Option<Vec<String>>,
    /// All users.
    pub users: Option<Vec<UserInfo>>,
    /// Notes about users who were deleted, or why they cannot be read.
    pub deletions: Result<Vec<DeletionInfo>, String>,
}

impl Records {
    fn ask(client: &Client) -> Self {
        Self {
            slots: client.slots().ok().map(|slots| slots.into_iter().map(|slot| slot.kind).collect()),
            users: client.users().ok(),
            deletions: client.deletions().map_err(|error| error.to_string()),
        }
    }
}

impl Answers {
    /// What the TPM answered last, when that was an error and a slot needs it.
    pub fn tpm_fault(&self) -> Option<&str> {
        let said = self.health.tpm.as_str();
        let needed = self.has_tpm_slot.unwrap_or(matches!(self.status.protection.as_str(), "" | "tpm2" | "recovery"));
        (needed && !matches!(said, "ok" | "not asked yet")).then_some(said)
    }
}

/// A socket and what the file system says about it.
pub struct Socket {
    /// Where it is.
    pub path: PathBuf,
    /// What is there, or why nothing is.
    pub entry: Result<Entry, String>,
    /// The unit of the service manager that makes it; without one the daemon does.
    pub unit: Option<&'static str>,
}

/// Modes of a socket and of the directory it is in.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Whether it is a socket at all.
    pub is_socket: bool,
    /// Permission bits of the socket.
    pub mode: u32,
    /// Whose it is.
    pub owner: u32,
    /// Permission bits of the directory.
    pub directory_mode: u32,
}

impl Facts {
    /// Asks the daemon, the file system and the clock.
    pub fn gather(context: &Context) -> Self {
        let path = socket_path(context);
        Self {
            answers: ask(context).map_err(silence),
            credentials: path.as_deref().and_then(credentials_beside),
            installed: context.named_door().is_none().then(Installed::gather),
            socket: path.map(|path| Socket { entry: look_at(&path), unit: unit_of(&path, SOCKET_UNIT), path }),
            now: SystemTime::now().duration_since(UNIX_EPOCH).map(|now| now.as_secs()).unwrap_or_default(),
        }
    }
}

fn ask(context: &Context) -> Result<Answers, tokenvault_client::Error> {
    let client = Client::open(context.address())?;
    let me = client.who_am_i()?;
    let records = (me.uid == 0).then(|| Records::ask(&client));
    let slots = records.as_ref().and_then(|records| records.slots.as_ref());
    let has_tpm_slot = slots.map(|slots| slots.iter().any(|kind| kind == TPM_KIND));
    Ok(Answers { status: client.status()?, me, health: client.health()?, has_tpm_slot, records })
}

/// What an error says, in the columns of the report.
fn silence(error: tokenvault_client::Error) -> Silence {
    let code = error.code();
    let (cause, next) = Failure::from(error).parts();
    Silence { code, cause, next }
}

/// The private socket that is meant, unless a bus is.
fn socket_path(context: &Context) -> Option<PathBuf> {
    match context.named_door() {
        None => Some(PathBuf::from(DEFAULT_SOCKET)),
        Some(Address::Socket(path)) => Some(path),
        Some(Address::Bus(_) | Address::SystemBus) => None,
    }
}

/// A daemon that somebody runs by hand gives units nothing.
fn credentials_beside(private: &Path) -> Option<Socket> {
    let path = private.with_file_name(CREDENTIALS);
    let entry = look_at(&path);
    let unit = unit_of(private, CREDENTIALS_UNIT);
    (private == Path::new(DEFAULT_SOCKET) || entry.is_ok()).then_some(Socket { path, entry, unit })
}

/// The service manager of this machine makes no socket but at the installed place, and none where it has not the unit.
fn unit_of(private: &Path, unit: &'static str) -> Option<&'static str> {
    let is_there = || UNITS.iter().any(|directory| Path::new(directory).join(unit).exists());
    (private == Path::new(DEFAULT_SOCKET) && Path::new(SERVICE_MANAGER).is_dir() && is_there()).then_some(unit)
}

fn look_at(path: &Path) -> Result<Entry, String> {
    let look = || {
        let socket = path.symlink_metadata()?;
        let directory = path.parent().unwrap_or(Path::new("/")).metadata()?;
        Ok(Entry {
            is_socket: socket.file_type().is_socket(),
            mode: socket.mode() & 0o7777,
            owner: socket.uid(),
            directory_mode: directory.mode() & 0o7777,
        })
    };
    look().map_err(|error| describe(&error))
}
