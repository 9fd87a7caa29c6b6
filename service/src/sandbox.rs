//! What the daemon gives up before it starts: writing anywhere but in its own directories, running anything but its worker.
//!
//! Landlock, as far as the kernel has it; the unit's own sandbox stands around it. Reading is left to file modes and the
//! unit: the user database may lie wherever an administrator's directory service keeps it.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, AccessFs, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    path_beneath_rules,
};

use crate::config::Config;

/// Newest rules asked for; an older kernel enforces those it knows.
const RULES: ABI = ABI::V3;
/// Where programs and the loader lie.
const PROGRAMS: [&str; 5] = ["/usr", "/bin", "/sbin", "/lib", "/lib64"];

/// Restricts this thread and every one it starts; so it comes before the first.
///
/// # Errors
/// One line, when the kernel has Landlock and it could not be set up.
pub fn enter(config: &Config) -> Result<(), String> {
    let status = restrict(config).map_err(|error| error.to_string())?;
    if status == RulesetStatus::NotEnforced {
        log::info!("this kernel has no Landlock: only the unit's sandbox holds");
    }
    Ok(())
}

fn restrict(config: &Config) -> Result<RulesetStatus, landlock::RulesetError> {
    let write = AccessFs::from_write(RULES);
    let open_to_write = AccessFs::WriteFile | AccessFs::Truncate;
    let run: BitFlags<AccessFs> = AccessFs::Execute.into();
    let programs = PROGRAMS.iter().map(PathBuf::from).chain([config.worker.clone()]);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(write | run)?
        .create()?
        .add_rules(path_beneath_rules([&config.state_dir, &config.runtime_dir], write))?
        .add_rules(path_beneath_rules(programs, run))?
        .add_rules(path_beneath_rules(devices(&config.tcti), open_to_write))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// Where the TPM's device is or will be, and the one the daemon itself writes to.
fn devices(tcti: &str) -> Vec<PathBuf> {
    let tpm = tcti.strip_prefix("device:").map(Path::new);
    let directory = tpm.and_then(Path::parent).map(Path::to_owned);
    // The device itself where it is there: it may be a link to somewhere else.
    [Some(PathBuf::from("/dev/null")), tpm.map(Path::to_owned), directory].into_iter().flatten().collect()
}
