//! What an administrator set: files, merging, checks.
//!
//! `/usr/lib/tokenvault/tokenvault.conf` < `/etc/tokenvault/tokenvault.conf` < `/etc/tokenvault/tokenvault.conf.d/*.conf` in
//! the order of their names; or exactly one file with `--config`. TOML; an unknown key is refused with file and line. No
//! secret is ever a setting.

mod distance;
mod file;
mod merge;
mod roles;

use std::path::{Path, PathBuf};

pub use file::{AuditReads, Enrol, Limits};
pub use merge::load;
pub use roles::{Named, Roles};

/// The installed defaults and the administrator's files.
pub const DEFAULT_FILES: [&str; 2] = [tokenvault_proto::DEFAULTS_FILE, "/etc/tokenvault/tokenvault.conf"];
/// Drop-ins, read in the order of their names.
pub const DROP_IN_DIR: &str = "/etc/tokenvault/tokenvault.conf.d";

/// Why there is no configuration: one line with file, line, cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// Where the settings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The installed places.
    Installed,
    /// One file, named on the command line.
    File(PathBuf),
}

/// Which bus to be on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bus {
    /// The system bus.
    System,
    /// A bus by its address.
    Address(String),
    /// None: the private socket alone.
    None,
}

/// The settings in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the store is.
    pub state_dir: PathBuf,
    /// Where the private socket is made.
    pub runtime_dir: PathBuf,
    /// The bus to be on.
    pub bus: Bus,
    /// Whether a host key may open the vault.
    pub allow_host_key: bool,
    /// How the worker reaches the TPM.
    pub tcti: String,
    /// The TPM worker.
    pub worker: PathBuf,
    /// Least time between two raises of the TPM's counter, seconds.
    pub anchor_seconds: u64,
    /// Who is taken in.
    pub enrol: Enrol,
    /// The group whose members are taken in, where that is the policy.
    pub enrol_group: String,
    /// Role of a user seen first.
    pub default_role: tokenvault_core::policy::Role,
    /// Roles of users and groups.
    pub roles: Roles,
    /// When the record of a read is durable.
    pub audit_reads: AuditReads,
    /// Most audit records kept.
    pub audit_records: u64,
    /// Most bytes of them.
    pub audit_bytes: u64,
    /// Days they are kept.
    pub audit_days: u64,
    /// How long before a token expires it is told so, microseconds.
    pub expiring_before: Vec<u64>,
    /// Limits; 0 is off.
    pub limits: Limits,
}

impl Config {
    /// The private socket.
    pub fn socket_path(&self) -> PathBuf {
        self.runtime_dir.join("bus")
    }

    /// The socket of the service manager.
    pub fn credentials_path(&self) -> PathBuf {
        self.runtime_dir.join("credentials")
    }

    /// Says which keys differ that only a restart puts in force wholly.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        // Every field is named, so that a new one has to be thought about.
        let Self {
            state_dir,
            runtime_dir,
            bus,
            allow_host_key: _,
            tcti,
            worker,
            anchor_seconds: _,
            enrol: _,
            enrol_group: _,
            default_role: _,
            roles: _,
            audit_reads: _,
            audit_records: _,
            audit_bytes: _,
            audit_days: _,
            expiring_before: _,
            limits,
        } = self;
        let mut keys = Vec::new();
        let mut differ = |key, differs: bool| {
            if differs {
                keys.push(key);
            }
        };
        differ("state-dir", *state_dir != new.state_dir);
        differ("runtime-dir", *runtime_dir != new.runtime_dir);
        differ("bus", *bus != new.bus);
        differ("tpm.tcti", *tcti != new.tcti);
        differ("tpm.worker", *worker != new.worker);
        // The calls are limited at once, but the writer's queue keeps its length.
        differ("limits.in-flight-total", limits.in_flight_total != new.limits.in_flight_total);
        differ("limits.store-bytes", limits.store_bytes != new.limits.store_bytes);
        keys
    }
}

fn absolute(path: &Path, key: &str) -> Result<PathBuf, ConfigError> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    Err(ConfigError(format!("'{key}' must be an absolute path, not '{}'", path.display())))
}
