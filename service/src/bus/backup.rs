//! Backups: made into a pipe, and restored from one.

use std::sync::Arc;

use tokenvault_core::backup::Summary;
use tokenvault_core::vault::{BackupRequest, RestoreRequest, Restored, State};
use tokenvault_core::{Caller, Error, Secret};
use tokenvault_proto::{Findings, NoOptions, RestoreOptions};
use zbus::OwnedFd;

use super::audit::write_what_waits;
use super::call::Call;
use super::desk::blocking;
use super::{Desk, Options, decode, slots};
use crate::operation::{Ended, Watch};
use crate::service::Service;
use crate::value::incoming::EmptyValue;
use crate::value::{PipeSink, PipeSource};

/// `Backup`.
pub async fn begin(desk: &Desk, call: Call, out: OwnedFd, options: Options) -> Result<u64, Error> {
    decode::options::<NoOptions>(options)?;
    let sink = PipeSink::new(out.into())?;
    let service = &desk.service;
    service.vault.check_open()?;
    // Whoever fetched something before is in the log that goes along.
    write_what_waits(desk, false).await;
    let (vault, caller) = (Arc::clone(&service.vault), call.caller.clone());
    let request = blocking(move || vault.begin_backup(&caller)).await?;
    service.operations.begin(&call.caller, ("Backup", String::new()), move |watch: &Watch| make(request, sink, watch))
}

fn make(request: BackupRequest, mut sink: PipeSink, watch: &Watch) -> Ended {
    let need = request.need();
    let is_wanted = || !watch.is_cancelled() && need.check().is_ok();
    let written = request.write(&mut sink.while_wanted(&is_wanted), watch);
    written.map(|summary| findings(&summary)).map_err(|error| (error, Findings::default()))
}

fn findings(summary: &Summary) -> Findings {
    let tokens = summary.counts.iter().find(|(table, _)| table == "token").map_or(0, |(_, count)| *count);
    Findings::default().with("rows", summary.rows).with("bytes", summary.bytes).with("tokens", tokens)
}

/// `Restore`.
pub async fn restore(
    desk: &Desk,
    call: Call,
    (from, recovery): (OwnedFd, OwnedFd),
    options: Options,
) -> Result<u64, Error> {
    let options = decode::options::<RestoreOptions>(options)?;
    let source = PipeSource::new(from.into())?;
    let private = slots::secret(&desk.service, &call, recovery, EmptyValue::Refused).await?;
    let (vault, replace) = (Arc::clone(&desk.service.vault), options.replace.unwrap_or(false));
    let unvouched = options.unvouched.unwrap_or(false);
    blocking(move || vault.check_restore(replace)).await?;
    let (service, caller) = (Arc::clone(&desk.service), call.caller);
    let by = caller.clone();
    let work = move |watch: &Watch| {
        let how = How { private: &private, replace, unvouched };
        take_in(&service, &by, source, &how, watch)
    };
    desk.service.operations.begin(&caller, ("Restore", String::new()), work)
}

/// How a backup is to be restored.
struct How<'a> {
    private: &'a Secret,
    replace: bool,
    unvouched: bool,
}

fn take_in(service: &Service, caller: &Caller, mut source: PipeSource, how: &How<'_>, watch: &Watch) -> Ended {
    let &How { private, replace, unvouched } = how;
    let is_wanted = || !watch.is_cancelled();
    let host_key = || service.host_key.load_or_make();
    let allowed: Option<&dyn Fn() -> Result<Secret, Error>> =
        if service.config().allow_host_key { Some(&host_key) } else { None };
    let request = RestoreRequest { private, sealer: &service.sealer, host_key: allowed, replace, unvouched };
    let restored = service.vault.restore(caller, &mut source.while_wanted(&is_wanted), &request, watch);
    match restored {
        Ok(restored) => {
            // Those were logged in at another vault.
            service.forget_logins();
            service.opened.notify_one();
            service.expiry_changed.notify_one();
            log::warn!("a backup was restored by uid {}", caller.uid);
            Ok(outcome(&restored))
        }
        Err(error) => {
            log::warn!("a backup that uid {} had restored was not taken: {error}", caller.uid);
            // What was under way in the vault of before, and was refused while the stores were exchanged, goes on.
            if service.vault.check_open().is_ok() {
                service.rotation_left.notify_one();
            }
            if service.vault.state() == State::Sealed {
                service.reopen.notify_one();
            }
            Err((error, Findings::default()))
        }
    }
}

fn outcome(restored: &Restored) -> Findings {
    let mut found = findings(&restored.summary).with("tokens", restored.tokens).with("made", restored.made);
    if let Some(kept) = &restored.kept {
        found = found.with("kept", kept.clone());
    }
    if let Some(slot) = restored.slot {
        found = found.with("slot", slot.as_str().to_owned());
    }
    if let Some(error) = &restored.no_tpm {
        found = found.with("no-tpm", error.to_string());
    }
    if let Some(error) = &restored.no_anchor {
        found = found.with("no-anchor", error.to_string());
    }
    found
}
