//! The methods of `Admin` about the audit log.

use std::sync::Arc;

use tokenvault_core::audit::{AuditFilter, AuditPage, AuditRequest, ChainFault, Mark, Outcome, Whole};
use tokenvault_core::hex;
use tokenvault_core::name::TokenName;
use tokenvault_core::port::Progress;
use tokenvault_core::vault::{Event, Vault};
use tokenvault_core::{Error, Timestamp};
use tokenvault_proto::{AuditInfo, AuditOptions, Findings, VerifyAuditOptions};

use super::call::Call;
use super::desk::in_turn;
use super::{Desk, Options, decode, encode};
use crate::journal::event;
use crate::operation::{Ended, Watch};
use crate::service::Service;

/// `Audit`.
pub async fn audit(desk: &Desk, call: Call, filter: Options) -> Result<(Vec<AuditInfo>, String), Error> {
    let service = &desk.service;
    let options = decode::options::<AuditOptions>(filter)?;
    let uid = call.caller.uid;
    let request = request(service, uid, options).await?;
    write_what_waits(desk, true).await;
    let vault = Arc::clone(&service.vault);
    // Each record is decrypted: it blocks, and takes turns.
    let read = in_turn(service, uid, move || vault.audit_page(&call.caller, &request));
    let page = desk.within_time("the log was not read", "retry with a smaller limit", read).await?;
    desk.count_reply(uid, page.reply_bytes())?;
    let AuditPage { entries, next } = page;
    Ok((entries.into_iter().map(encode::audit).collect(), next.map(|seq| seq.to_string()).unwrap_or_default()))
}

/// Whoever looks for what was done a moment ago finds it; with `so_far` also what is still being counted together. Where it cannot
/// be written the rest is shown all the same.
pub(super) async fn write_what_waits(desk: &Desk, so_far: bool) {
    let _kept_in_memory = desk.committed(|reply| desk.service.vault.flush_audit_to_show(so_far, reply)).await;
}

async fn request(service: &Service, asker: u32, options: AuditOptions) -> Result<AuditRequest, Error> {
    let owner = match options.owner.as_deref() {
        Some(text) => Some(decode::owner_or_miss(service, asker, Some(text)).await?),
        None => None,
    };
    if let Some(name) = &options.name {
        TokenName::parse(name)?;
    }
    let is_method = |operation: &String| operation.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !options.operation.as_ref().is_none_or(is_method) {
        return Err(Error::InvalidArgs("option 'operation' must be the name of a method, such as 'Get'".into()));
    }
    let outcome = match options.outcome.as_deref() {
        None => None,
        Some(word) => Some(Outcome::parse(word).ok_or_else(|| {
            Error::InvalidArgs("option 'outcome' must be 'ok', 'denied', 'not-found' or 'failed'".into())
        })?),
    };
    let after = match options.after.as_deref() {
        None | Some("") => None,
        Some(text) => Some(
            text.parse()
                .map_err(|_| Error::InvalidArgs("option 'after' is not the 'next' of an earlier page".into()))?,
        ),
    };
    let filter = AuditFilter {
        owner,
        name: options.name,
        uid: options.uid,
        operation: options.operation,
        outcome,
        since: options.since.map(Timestamp::from_usec),
        until: options.until.map(Timestamp::from_usec),
    };
    let limit = decode::limit(options.limit)?;
    Ok(AuditRequest { filter, limit, after, newest_first: options.newest_first.unwrap_or(false) })
}

/// `VerifyAudit`.
pub async fn verify(desk: &Desk, call: Call, options: Options) -> Result<u64, Error> {
    let mark = mark(decode::options::<VerifyAuditOptions>(options)?)?;
    let vault = &desk.service.vault;
    vault.check_open()?;
    vault.note_done(&Event::new(&call.caller, "VerifyAudit"));
    write_what_waits(desk, false).await;
    let (vault, caller) = (Arc::clone(vault), call.caller);
    let work = move |watch: &Watch| walk(&vault, mark, watch);
    desk.service.operations.begin(&caller, ("VerifyAudit", String::new()), work)
}

fn chain_of(digits: &str) -> Option<[u8; 32]> {
    hex::decode(digits)?.try_into().ok()
}

fn mark(options: VerifyAuditOptions) -> Result<Option<Mark>, Error> {
    match (options.seq, options.chain) {
        (None, None) => Ok(None),
        (Some(seq), Some(chain)) => {
            let malformed = || Error::InvalidArgs("option 'chain' must have 64 hex digits, as in the journal".into());
            Ok(Some(Mark { seq, chain: chain_of(&chain).ok_or_else(malformed)? }))
        }
        _ => Err(Error::InvalidArgs("give 'seq' and 'chain' of a record, or neither".into())),
    }
}

/// Walks the chain.
pub fn walk(vault: &Vault, mark: Option<Mark>, watch: &dyn Progress) -> Ended {
    match vault.verify_audit(mark, watch) {
        Ok(Ok(whole)) => Ok(found(&whole)),
        Ok(Err(ChainFault::Record(seq))) => {
            let broken = Error::AuditBroken(seq);
            log::error!(MESSAGE_ID = event::AUDIT_BROKEN; "{broken}");
            Err((broken, Findings::default().with("first-bad", seq)))
        }
        Err(error) => Err((error, Findings::default())),
    }
}

fn found(whole: &Whole) -> Findings {
    let Whole { records, first, last } = whole;
    let found = Findings::default().with("records", *records).with("first", *first);
    found.with("last", last.seq).with("chain", hex::encode(&last.chain))
}
