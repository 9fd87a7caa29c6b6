//! Reading and merging the files.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokenvault_core::crypto::pad::VALUE_BYTES_MAX;
use tokenvault_core::policy::Role;
use tokenvault_proto::LIBEXEC_DIR;
use tokenvault_tpm::Tcti;

use super::distance::{DAY_USEC, distances};
use super::file::{AuditReads, ConfigFile, DefaultRole, Enrol, Limits};
use super::{Bus, Config, ConfigError, DEFAULT_FILES, DROP_IN_DIR, Named, Roles, Source, absolute};

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Longest time that can be set. Nobody waits longer, and a moment that far from now can still be reckoned with.
const SECONDS_MAX: u64 = 86_400;

/// Reads and checks the settings.
///
/// # Errors
/// One line with the file, the line in it, and the cause.
pub fn load(source: &Source) -> Result<Config, ConfigError> {
    let mut config = defaults();
    for path in files(source)? {
        let text = read(&path)?;
        let file: ConfigFile = toml::from_str(&text).map_err(|error| describe(&path, &text, &error))?;
        apply(&mut config, file).map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
    }
    if let Some(told) = bound_attachments(&mut config.limits) {
        log::warn!("{told}");
    }
    Ok(config)
}

/// Whoever makes values shorter than usual and says nothing of attachments means that longer ones are refused, and not that they
/// are stored in chunks; what is done about it.
fn bound_attachments(limits: &mut Limits) -> Option<String> {
    let (value_bytes, usual) = (limits.value_bytes, Limits::default());
    if value_bytes == 0 || value_bytes >= usual.value_bytes || limits.attachment_bytes != usual.attachment_bytes {
        return None;
    }
    limits.attachment_bytes = value_bytes;
    Some(format!(
        "values longer than 'limits.value-bytes' = {value_bytes} are refused; to have longer ones stored in chunks, set \
         'limits.attachment-bytes' to their longest, other than {}",
        usual.attachment_bytes
    ))
}

/// Whatever is written, an old store passes for the present one for no longer than that.
const ANCHOR_SECONDS_MAX: u64 = 86_400;

fn defaults() -> Config {
    Config {
        state_dir: "/var/lib/tokenvault".into(),
        runtime_dir: "/run/tokenvault".into(),
        bus: Bus::System,
        allow_host_key: false,
        tcti: "device:/dev/tpmrm0".into(),
        worker: Path::new(LIBEXEC_DIR).join("tokenvault-tpm"),
        anchor_seconds: 600,
        enrol: Enrol::Auto,
        enrol_group: "tokenvault-users".into(),
        default_role: Role::Developer,
        roles: Roles::default(),
        audit_reads: AuditReads::Batched,
        audit_records: 1_000_000,
        audit_bytes: 256 << 20,
        audit_days: 0,
        expiring_before: vec![7 * DAY_USEC, DAY_USEC],
        limits: Limits::default(),
    }
}

fn files(source: &Source) -> Result<Vec<PathBuf>, ConfigError> {
    match source {
        Source::File(path) => Ok(vec![path.clone()]),
        Source::Installed => {
            let mut files: Vec<PathBuf> =
                DEFAULT_FILES.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
            files.extend(drop_ins(Path::new(DROP_IN_DIR))?);
            Ok(files)
        }
    }
}

fn drop_ins(dir: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ConfigError(format!("{}: {error}", dir.display()))),
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
        .collect();
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    use std::io::Read;
    let failed = |error: std::io::Error| ConfigError(format!("{}: {error}", path.display()));
    let mut text = String::new();
    std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text)).map_err(failed)?;
    Ok(text)
}

/// One line: file, line number, and what the parser says.
fn describe(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().map(|span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1);
    let message = error.message().replace('\n', " ");
    match line {
        Some(line) => ConfigError(format!("{}:{line}: {message}", path.display())),
        None => ConfigError(format!("{}: {message}", path.display())),
    }
}

fn apply(config: &mut Config, file: ConfigFile) -> Result<(), ConfigError> {
    if let Some(path) = &file.state_dir {
        config.state_dir = absolute(path, "state-dir")?;
    }
    if let Some(path) = &file.runtime_dir {
        config.runtime_dir = absolute(path, "runtime-dir")?;
    }
    if let Some(bus) = &file.bus {
        config.bus = match bus.as_str() {
            "system" => Bus::System,
            "none" => Bus::None,
            address if address.parse::<zbus::Address>().is_ok() => Bus::Address(address.to_owned()),
            _ => return Err(ConfigError("'bus' must be \"system\", \"none\" or a D-Bus address".into())),
        };
    }
    config.allow_host_key = file.allow_host_key.unwrap_or(config.allow_host_key);
    if let Some(tcti) = &file.tpm.tcti {
        Tcti::from_str(tcti).map_err(|error| ConfigError(format!("'tpm.tcti': {error}")))?;
        config.tcti.clone_from(tcti);
    }
    if let Some(path) = &file.tpm.worker {
        config.worker = absolute(path, "tpm.worker")?;
    }
    if let Some(seconds) = file.tpm.anchor_seconds {
        if seconds > ANCHOR_SECONDS_MAX {
            return Err(ConfigError(format!("'tpm.anchor-seconds' must be at most {ANCHOR_SECONDS_MAX}, a day")));
        }
        config.anchor_seconds = seconds;
    }
    config.enrol = file.users.enrol.unwrap_or(config.enrol);
    if let Some(group) = file.users.enrol_group {
        if Named::try_from(format!("group:{group}")).is_err() {
            return Err(ConfigError("'users.enrol-group' must be the name of a group".into()));
        }
        config.enrol_group = group;
    }
    config.roles.apply(file.users.roles);
    if let Some(role) = file.users.default_role {
        config.default_role = match role {
            DefaultRole::Consumer => Role::Consumer,
            DefaultRole::Developer => Role::Developer,
        };
    }
    config.audit_reads = file.audit.reads.unwrap_or(config.audit_reads);
    config.audit_records = file.audit.records.unwrap_or(config.audit_records);
    config.audit_bytes = file.audit.bytes.unwrap_or(config.audit_bytes);
    config.audit_days = file.audit.days.unwrap_or(config.audit_days);
    if let Some(words) = &file.notify.expiring_before {
        config.expiring_before = distances(words)?;
    }
    config.limits.apply(&file.limits);
    let Limits { value_bytes, attachment_bytes, .. } = config.limits;
    for (key, bytes) in [("value-bytes", value_bytes), ("attachment-bytes", attachment_bytes)] {
        if bytes > VALUE_BYTES_MAX as u64 {
            return Err(ConfigError(format!("'limits.{key}' can be at most {VALUE_BYTES_MAX}")));
        }
    }
    let Limits { pipe_seconds, request_seconds, credential_seconds, .. } = config.limits;
    for (key, seconds) in [
        ("pipe-seconds", pipe_seconds),
        ("request-seconds", request_seconds),
        ("credential-seconds", credential_seconds),
    ] {
        if seconds > SECONDS_MAX {
            let text = "set fewer seconds, or 0 to switch it off";
            return Err(ConfigError(format!("'limits.{key}' can be at most {SECONDS_MAX}, a day; {text}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.conf");
        std::fs::write(&path, text).unwrap();
        load(&Source::File(path))
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        assert_eq!(load_text("").unwrap(), defaults());
    }

    #[test]
    fn the_documented_defaults_are_the_real_ones() {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/tokenvault.conf");
        assert_eq!(load(&Source::File(sample.into())).unwrap(), defaults());
    }

    #[test]
    fn an_unknown_key_is_refused_with_file_and_line() {
        for (text, line) in [("nonsense = 1\n", 1), ("bus = \"none\"\n[limits]\nvalue-byte = 1\n", 3)] {
            let error = load_text(text).unwrap_err().to_string();
            assert!(error.contains(&format!("t.conf:{line}:")), "{error}");
            assert_eq!(error.lines().count(), 1);
        }
    }

    #[test]
    fn wrong_types_and_values_are_refused_with_their_line() {
        for text in ["[limits]\ntokens = \"many\"\n", "[limits]\ntokens = -1\n", "[users]\nenrol = \"perhaps\"\n"] {
            let error = load_text(text).unwrap_err().to_string();
            assert!(error.contains("t.conf:2:"), "{error}");
        }
        assert!(load_text("state-dir = \"relative\"").is_err());
        assert!(load_text("bus = \"nowhere\"").is_err());
    }

    #[test]
    fn roles_go_to_users_and_groups_and_a_later_list_replaces_an_earlier_one() {
        let mut config = defaults();
        for text in [
            "[users]\nenrol-group = \"staff\"\n[users.roles]\nadmin = [\"group:wheel\"]\nauditor = [\"user:carol\"]\n",
            "[users.roles]\nadmin = [\"group:sudo\", \"user:dave\"]\n",
        ] {
            apply(&mut config, toml::from_str(text).unwrap()).unwrap();
        }
        let mut told: Vec<String> =
            config.roles.iter().map(|(role, named)| format!("{} {named}", role.as_str())).collect();
        told.sort();
        assert_eq!(told, ["admin group:sudo", "admin user:dave", "auditor user:carol"]);
        assert_eq!(config.enrol_group, "staff");
        for (text, line) in [
            ("[users.roles]\nadmin = [\"wheel\"]\n", 2),
            ("[users.roles]\nking = [\"user:a\"]\n", 2),
            ("[users.roles]\nadmin = \"user:a\"\n", 2),
        ] {
            let error = load_text(text).unwrap_err().to_string();
            assert!(error.contains(&format!("t.conf:{line}:")), "{error}");
        }
        assert!(load_text("[users]\nenrol-group = \"a:b\"\n").is_err());
    }

    #[test]
    fn shorter_values_mean_no_attachments_unless_that_is_said() {
        let limits = |text: &str| load_text(&format!("[limits]\n{text}\n")).unwrap().limits;
        let told = bound_attachments(&mut Limits { value_bytes: 1000, ..Limits::default() }).unwrap();
        assert!(told.contains("= 1000") && told.contains("'limits.attachment-bytes'"), "{told}");
        assert_eq!(limits("value-bytes = 1000").attachment_bytes, 1000);
        let usual = Limits::default().attachment_bytes;
        for (text, bytes) in [
            ("", usual),
            ("value-bytes = 0", usual),
            ("value-bytes = 70000", usual),
            ("value-bytes = 1000\nattachment-bytes = 5000", 5000),
        ] {
            assert_eq!(limits(text).attachment_bytes, bytes, "{text}");
        }
    }

    #[test]
    fn times_that_nobody_can_wait_are_refused_by_name() {
        for key in ["pipe-seconds", "request-seconds", "credential-seconds"] {
            for seconds in [86_401, i64::MAX] {
                let error = load_text(&format!("[limits]\n{key} = {seconds}\n")).unwrap_err().to_string();
                assert!(error.contains(&format!("'limits.{key}'")) && error.contains("86400"), "{error}");
            }
            load_text(&format!("[limits]\n{key} = 86400\n")).unwrap();
            load_text(&format!("[limits]\n{key} = 0\n")).unwrap();
        }
    }

    #[test]
    fn drop_ins_are_read_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["20-b.conf", "10-a.conf", "ignored.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let names: Vec<_> =
            drop_ins(dir.path()).unwrap().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["10-a.conf", "20-b.conf"]);
    }

    #[test]
    fn only_a_restart_changes_where_things_are() {
        let old = defaults();
        let mut new = old.clone();
        new.limits.tokens = 1;
        assert!(old.needs_restart(&new).is_empty());
        new.state_dir = "/elsewhere".into();
        assert_eq!(old.needs_restart(&new), ["state-dir"]);
        new.limits.in_flight_total = 1;
        assert_eq!(old.needs_restart(&new), ["state-dir", "limits.in-flight-total"]);
    }
}
