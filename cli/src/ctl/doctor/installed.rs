//! What the file system says of an installed vault: policies of the bus and of polkit, room, who may write where, and
//! what its configuration is worth.

use std::fs;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::super::config::{self, Judgement};
use super::modes::{self, Exposed};

/// Where the store of an installed vault is.
pub const STATE_DIR: &str = "/var/lib/tokenvault";
/// Who may own the name on the bus and who may call, as this release needs it.
const BUS_POLICY: &str = include_str!("../../../../packaging/dbus/org.tokenvault1.conf");
/// Where the bus looks for it.
const BUS_POLICIES: [&str; 2] =
    ["/etc/dbus-1/system.d/org.tokenvault1.conf", "/usr/share/dbus-1/system.d/org.tokenvault1.conf"];
/// Where polkit looks for actions; only a new one below /usr/local too.
const ACTIONS: &str = "/usr/share/polkit-1/actions";
const ACTION_FILES: [&str; 2] =
    ["/usr/share/polkit-1/actions/org.tokenvault1.policy", "/usr/local/share/polkit-1/actions/org.tokenvault1.policy"];

/// A policy, where it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// As this release has it.
    Equal,
    /// Another one, in this file.
    Differs(String),
    /// None.
    Missing,
    /// Nobody asks for it here.
    NotNeeded,
}

/// Room on the file system of the store, bytes.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// What the daemon may still use.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Of the bus.
    pub bus_policy: Policy,
    /// Of polkit.
    pub polkit: Policy,
    /// `None` where it cannot be said.
    pub space: Option<Space>,
    /// Places that somebody owns or may write who must not.
    pub exposed: Vec<Exposed>,
    /// What the daemon's program says of the files of the configuration.
    pub configuration: Judgement,
}

impl Installed {
    /// Looks at the file system.
    pub fn gather() -> Self {
        Self {
            bus_policy: bus_policy(),
            polkit: polkit(),
            space: space(),
            exposed: modes::exposed(),
            configuration: config::judge_the_installed(),
        }
    }
}

fn bus_policy() -> Policy {
    let found = BUS_POLICIES.iter().find_map(|path| Some((path, fs::read_to_string(path).ok()?)));
    match found {
        Some((_, text)) if text == BUS_POLICY => Policy::Equal,
        Some((path, _)) => Policy::Differs((*path).to_owned()),
        None => Policy::Missing,
    }
}

fn polkit() -> Policy {
    if ACTION_FILES.iter().any(|path| Path::new(path).exists()) {
        return Policy::Equal;
    }
    if Path::new(ACTIONS).is_dir() { Policy::Missing } else { Policy::NotNeeded }
}

fn space() -> Option<Space> {
    let found = statvfs(STATE_DIR).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.fragment_size());
    Some(Space { free: bytes(found.blocks_available()), total: bytes(found.blocks()) })
}
