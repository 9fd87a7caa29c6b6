//! The configuration file of a daemon under test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What a test sets; everything else is the default of an installed vault.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether the `host-key` slot may be used.
    pub allow_host_key: bool,
    /// Keys of `[limits]`.
    pub limits: BTreeMap<&'static str, u64>,
    /// Keys of `[users]`, all strings.
    pub users: BTreeMap<&'static str, &'static str>,
    /// Keys of `[users.roles]`: who has the role.
    pub roles: BTreeMap<&'static str, Vec<&'static str>>,
    /// Another program than the built worker.
    pub worker: Option<PathBuf>,
    /// Least time between two raises of the TPM's counter, where it is not the built-in one.
    pub anchor_seconds: Option<u64>,
    /// Lines put before everything else, for configurations that are wrong on purpose.
    pub extra: String,
}

/// Where the parts of one vault are.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The directory of the store.
    pub state: &'a Path,
    /// The directory of the private socket.
    pub runtime: &'a Path,
    /// The TPM worker program.
    pub worker: &'a Path,
    /// Address of the bus, `none` for no bus.
    pub bus: &'a str,
    /// How the worker reaches the TPM.
    pub tcti: &'a str,
}

impl Settings {
    /// The text of the file.
    pub fn to_toml(&self, places: Places<'_>) -> String {
        let Places { state, runtime, worker, bus, tcti } = places;
        let worker = self.worker.as_deref().unwrap_or(worker);
        let mut text = format!(
            "{}state-dir = {state:?}\nruntime-dir = {runtime:?}\nbus = {bus:?}\nallow-host-key = {}\n\
             [tpm]\ntcti = {tcti:?}\nworker = {worker:?}\n",
            self.extra, self.allow_host_key,
        );
        if let Some(seconds) = self.anchor_seconds {
            writeln!(text, "anchor-seconds = {seconds}").unwrap();
        }
        table(&mut text, "users", self.users.iter().map(|(key, value)| (*key, format!("{value:?}"))));
        table(&mut text, "users.roles", self.roles.iter().map(|(role, named)| (*role, format!("{named:?}"))));
        table(&mut text, "limits", self.limits.iter().map(|(key, value)| (*key, value.to_string())));
        text
    }
}

fn table<'a>(text: &mut String, name: &str, entries: impl Iterator<Item = (&'a str, String)>) {
    writeln!(text, "[{name}]").unwrap();
    for (key, value) in entries {
        writeln!(text, "{key} = {value}").unwrap();
    }
}
