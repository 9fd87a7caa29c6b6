//! Putting changed settings in force while running. A bad configuration changes nothing.

use tokenvault_core::vault::{Enrolment, Settings};

use crate::caller::Users;
use crate::config::{AuditReads, Config, ConfigError, ENROL_GROUP, Enrol, load};
use crate::service::Service;
use crate::value::outgoing::PipeLimits;

/// Reads the configuration again.
///
/// # Errors
/// What is wrong with it; the old settings stay in force.
pub async fn reload(service: &Service) -> Result<(), ConfigError> {
    let new = load(&service.source).inspect_err(|error| {
        log::error!("the configuration was not reloaded, the old one stays in force: {error}");
    })?;
    for key in service.config().needs_restart(&new) {
        log::warn!("'{key}' has changed: it takes effect when tokenvaultd is restarted");
    }
    service.vault.set_settings(vault_settings(&new, enrolment(&service.users, new.enrol).await));
    service.limiter.set_limits(new.limits.clone());
    service.pipes.set_limits(pipe_limits(&new));
    service.set_config(new);
    log::info!("the configuration was reloaded");
    Ok(())
}

/// What the domain needs of the settings.
pub fn vault_settings(config: &Config, enrolment: Enrolment) -> Settings {
    Settings {
        value_bytes: config.limits.value_bytes,
        tokens: config.limits.tokens,
        bytes: config.limits.bytes,
        enrolment,
        default_role: config.default_role,
        audit_durable: config.audit_reads == AuditReads::Durable,
        audit_records: config.audit_records,
    }
}

/// Who is taken in, with the group looked up.
pub async fn enrolment(users: &Users, enrol: Enrol) -> Enrolment {
    match enrol {
        Enrol::Auto => Enrolment::Auto,
        Enrol::Admin => Enrolment::Admin,
        Enrol::Group => match users.gid(ENROL_GROUP).await {
            Ok(gid) => Enrolment::Group(gid),
            Err(error) => {
                log::warn!("nobody new is taken in: group '{ENROL_GROUP}': {error}; add it and reload");
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
