//! Putting changed settings in force while running. A bad configuration changes nothing.

use tokenvault_core::vault::Settings;

use crate::config::{AuditReads, Config, ConfigError, load};
use crate::groups::Groups;
use crate::service::Service;
use crate::value::outgoing::PipeLimits;

/// Microseconds of a day.
const USEC_PER_DAY: u64 = 86_400_000_000;

/// Reads the configuration again.
///
/// # Errors
/// What is wrong with it; the old settings stay in force.
pub async fn reload(service: &Service) -> Result<(), ConfigError> {
    let new = load(&service.source).inspect_err(|error| {
        log::error!("the configuration was not reloaded, the old one stays in force: {error}");
    })?;
    for key in service.config().needs_restart(&new) {
        log::warn!("'{key}' has changed: it takes full effect when tokenvaultd is restarted");
    }
    let groups = Groups::look_up(&service.users, &new, &service.groups()).await;
    if groups.health() != "ok" {
        log::warn!("{}", groups.health());
    }
    service.limiter.set_limits(new.limits.clone());
    service.pipes.set_limits(pipe_limits(&new));
    service.set_config(new, groups);
    log::info!("the configuration was reloaded");
    Ok(())
}

/// What the domain needs of the settings.
pub fn vault_settings(config: &Config, groups: &Groups) -> Settings {
    Settings {
        value_bytes: config.limits.value_bytes,
        attachment_bytes: config.limits.attachment_bytes,
        tokens: config.limits.tokens,
        bytes: config.limits.bytes,
        issued: config.limits.issued,
        enrolment: groups.enrolment(config),
        default_role: config.default_role,
        roles: groups.roles(config),
        audit_durable: config.audit_reads == AuditReads::Durable,
        audit_records: config.audit_records,
        audit_bytes: config.audit_bytes,
        audit_age_usec: config.audit_days.saturating_mul(USEC_PER_DAY),
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
