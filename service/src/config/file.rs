//! One configuration file as it is written: every key optional, unknown keys refused.

use std::path::PathBuf;

use serde::Deserialize;

use super::roles::RolesTable;

/// Who is taken in when they come for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enrol {
    /// Every local user.
    Auto,
    /// The members of `enrol-group`.
    Group,
    /// Only whom an administrator takes in.
    Admin,
}

/// When the audit record of a read is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditReads {
    /// Within 100 ms after the value was given.
    Batched,
    /// Before the value is given; of equal ones within a second, the first.
    Durable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DefaultRole {
    Consumer,
    Developer,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ConfigFile {
    pub state_dir: Option<PathBuf>,
    pub runtime_dir: Option<PathBuf>,
    pub bus: Option<String>,
    pub allow_host_key: Option<bool>,
    #[serde(default)]
    pub tpm: TpmTable,
    #[serde(default)]
    pub users: UsersTable,
    #[serde(default)]
    pub audit: AuditTable,
    #[serde(default)]
    pub notify: NotifyTable,
    #[serde(default)]
    pub limits: LimitsTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct TpmTable {
    pub tcti: Option<String>,
    pub worker: Option<PathBuf>,
    pub anchor_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct UsersTable {
    pub enrol: Option<Enrol>,
    pub enrol_group: Option<String>,
    pub default_role: Option<DefaultRole>,
    #[serde(default)]
    pub roles: RolesTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AuditTable {
    pub reads: Option<AuditReads>,
    pub records: Option<u64>,
    pub bytes: Option<u64>,
    pub days: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct NotifyTable {
    pub expiring_before: Option<Vec<String>>,
}

macro_rules! limits {
    ($($(#[$meta:meta])* $field:ident = $default:literal;)*) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub(super) struct LimitsTable {
            $($field: Option<u64>,)*
        }

        /// The limits in force; 0 switches one off.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$meta])* pub $field: u64,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Limits {
            /// Takes over what a file sets.
            pub(super) fn apply(&mut self, table: &LimitsTable) {
                $(self.$field = table.$field.unwrap_or(self.$field);)*
            }
        }
    };
}

limits! {
    /// Longest value, bytes.
    value_bytes = 65_536;
    /// Longest value stored in chunks, bytes.
    attachment_bytes = 16_777_216;
    /// Most tokens of a principal.
    tokens = 10_000;
    /// Most stored bytes of a principal, over all versions and with their metadata.
    bytes = 67_108_864;
    /// Most issued tokens of a principal.
    issued = 100_000;
    /// Most bytes of the whole store.
    store_bytes = 0;
    /// Most connections of one uid to the private socket.
    connections = 64;
    /// Most calls of one uid being worked on.
    in_flight = 256;
    /// Most calls being worked on.
    in_flight_total = 4_096;
    /// Reads of one uid per second.
    reads_per_second = 20_000;
    /// Writes of one uid per second; ten times as many in a burst.
    writes_per_second = 200;
    /// Requests of one uid per second that find nothing; five times as many in a burst.
    misses_per_second = 20;
    /// Most reply pipes of one uid that were not read yet.
    pipes = 256;
    /// Seconds until a pipe without progress is withdrawn.
    pipe_seconds = 5;
    /// Seconds a request may take.
    request_seconds = 5;
    /// Most connections of one uid that are told of changes.
    subscriptions = 16;
    /// Most connections that are told of changes.
    subscriptions_total = 1_024;
    /// Seconds after the start of the daemon that units wait for the vault to open.
    credential_seconds = 45;
}
