//! Putting changed settings in force while running. A bad configuration changes nothing.

use tokenvault_core::vault::{Enrolment, Settings};

use crate::caller::{UserError, Users};
use crate::config::{AuditReads, Config, ConfigError, ENROL_GROUP, Enrol, load};
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
    let before = service.vault.settings().enrolment;
    let enrolment = enrolment(&service.users, new.enrol, Some(before)).await;
    service.vault.set_settings(vault_settings(&new, enrolment));
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
        attachment_bytes: config.limits.attachment_bytes,
        tokens: config.limits.tokens,
        bytes: config.limits.bytes,
        issued: config.limits.issued,
        enrolment,
        default_role: config.default_role,
        audit_durable: config.audit_reads == AuditReads::Durable,
        audit_records: config.audit_records,
        audit_bytes: config.audit_bytes,
        audit_age_usec: config.audit_days.saturating_mul(USEC_PER_DAY),
    }
}

/// Who is taken in, with the group looked up; `before` is who was until now.
pub async fn enrolment(users: &Users, enrol: Enrol, before: Option<Enrolment>) -> Enrolment {
    match enrol {
        Enrol::Auto => Enrolment::Auto,
        Enrol::Admin => Enrolment::Admin,
        Enrol::Group => of_group(users.gid(ENROL_GROUP).await, before),
    }
}

/// A directory that does not answer says nothing about the group: who was taken in still is.
fn of_group(found: Result<u32, UserError>, before: Option<Enrolment>) -> Enrolment {
    match (found, before) {
        (Ok(gid), _) => Enrolment::Group(gid),
        (Err(error @ UserError::Unavailable(_)), Some(Enrolment::Group(gid))) => {
            log::warn!("group '{ENROL_GROUP}' is still taken to be {gid}: {error}; reload when the directory answers");
            Enrolment::Group(gid)
        }
        (Err(error), _) => {
            log::warn!("nobody new is taken in: group '{ENROL_GROUP}': {error}; add it and reload");
            Enrolment::Admin
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_down_takes_the_group_from_nobody() {
        let down = || Err(UserError::Unavailable("no answer".into()));
        let before = Some(Enrolment::Group(7));
        assert_eq!(of_group(Ok(8), before), Enrolment::Group(8));
        assert_eq!(of_group(down(), before), Enrolment::Group(7));
        assert_eq!(of_group(Err(UserError::Unknown), before), Enrolment::Admin, "there is none any more");
        for never_known in [None, Some(Enrolment::Auto), Some(Enrolment::Admin)] {
            assert_eq!(of_group(down(), never_known), Enrolment::Admin);
        }
    }
}
