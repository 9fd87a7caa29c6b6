//! Putting changed settings in force while running. A bad configuration changes nothing.

use tokenvault_core::vault::{Enrolment, Settings};

use crate::config::{AuditReads, Config, ConfigError, ENROL_GROUP, Enrol, load};
use crate::service::Service;
use crate::value::outgoing::PipeLimits;

/// Reads the configuration again.
///
/// # Errors
/// What is wrong with it; the old settings stay in force.
pub fn reload(service: &Service) -> Result<(), ConfigError> {
    let new = load(&service.source).inspect_err(|error| {
        log::error!("the configuration was not reloaded, the old one stays in force: {error}");
    })?;
    for key in service.config().needs_restart(&new) {
        log::warn!("'{key}' has changed: it takes effect when tokenvaultd is restarted");
    }
    service.vault.set_settings(vault_settings(&new));
    service.limiter.set_limits(new.limits.clone());
    service.pipes.set_limits(pipe_limits(&new));
    service.set_config(new);
    log::info!("the configuration was reloaded");
    Ok(())
}

/// What the domain needs of the settings.
pub fn vault_settings(config: &Config) -> Settings {
    Settings {
        value_bytes: config.limits.value_bytes,
        tokens: config.limits.tokens,
        bytes: config.limits.bytes,
        enrolment: enrolment(config.enrol),
        default_role: config.default_role,
        audit_durable: config.audit_reads == AuditReads::Durable,
        audit_records: config.audit_records,
    }
}

fn enrolment(enrol: Enrol) -> Enrolment {
    match enrol {
        Enrol::Auto => Enrolment::Auto,
        Enrol::Admin => Enrolment::Admin,
        Enrol::Group => match nix::unistd::Group::from_name(ENROL_GROUP) {
            Ok(Some(group)) => Enrolment::Group(group.gid.as_raw()),
            _ => {
                log::warn!("there is no group '{ENROL_GROUP}': nobody new is taken in until it exists");
                Enrolment::Admin
            }
        },
    }
}

/// What the pipes need of the settings.
pub fn pipe_limits(config: &Config) -> PipeLimits {
    let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let withdraw_after = match config.limits.pipe_seconds {
        // A year: as good as never, and no arithmetic overflows.
        0 => std::time::Duration::from_secs(365 * 86_400),
        seconds => std::time::Duration::from_secs(seconds),
    };
    PipeLimits { per_uid: count(config.limits.pipes), withdraw_after, ..PipeLimits::default() }
}
