//! Where the daemon's log goes: the journal when systemd started it, standard error otherwise. And what the service manager
//! is told.
//!
//! Messages are written for administrators. Values never reach a log call; names of tokens only at debug level, but for a
//! credential that a unit was given or refused: its name stands in the unit's file, and who reads the log looks for it.

pub mod event;
mod refused;
mod state;

use std::io::Write;

use log::{LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::{JournalLog, connected_to_journal};

pub use refused::RefusedAdmins;
pub use state::{line, tell};

/// Environment variable with the level: `error`, `warn`, `info`, `debug`.
const LEVEL_VARIABLE: &str = "TOKENVAULT_LOG";

/// Sets the log up. Failing to is no reason not to serve.
pub fn start() {
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::Info);
    let installed = if connected_to_journal() {
        JournalLog::new().map_err(|_| ()).and_then(|journal| journal.install().map_err(|_| ()))
    } else {
        log::set_logger(&StderrLog).map_err(|_| ())
    };
    if installed.is_ok() {
        log::set_max_level(level);
    }
}

/// Keeps what a panic was about, which may hold data, out of the log; where it happened is enough.
pub fn hush_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        log::error!("a task of the daemon failed at {place}");
    }));
}

/// Tells that an administrator changed something: the audit log has it too, but is nothing that others can collect.
pub fn tell_administered(uid: u32, operation: &str) {
    log::info!(
        MESSAGE_ID = event::ADMIN_DONE, TOKENVAULT_UID = uid, TOKENVAULT_OPERATION = operation;
        "uid {uid} had {operation} done"
    );
}

/// Tells how far work of an administrator is that takes longer than a call: that it was begun, or how it has ended. `what` is the method,
/// and what it is about.
pub fn tell_worked(uid: u32, (operation, what): (&str, &str), how: &str) {
    let about = if what.is_empty() { String::new() } else { format!(" ({what})") };
    log::info!(
        MESSAGE_ID = event::ADMIN_DONE, TOKENVAULT_UID = uid, TOKENVAULT_OPERATION = operation;
        "{operation}{about} of uid {uid} {how}"
    );
}

/// Tells the service manager, if there is one.
pub fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("the service manager could not be notified: {error}");
    }
}

/// Has the service manager told where other work goes on in this thread: it may let one wait. In a thread of its own, which is
/// to be had whatever others wait for.
pub async fn aside(tell: impl FnOnce() + Send + 'static) {
    let (told, is_told) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("notify".into()).spawn(move || {
        tell();
        let _nobody_may_wait = told.send(());
    });
    match thread {
        Ok(_) => drop(is_told.await),
        Err(error) => log::warn!("the service manager could not be notified: {error}"),
    }
}

struct StderrLog;

impl Log for StderrLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level() && metadata.target().starts_with("tokenvault")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut stderr = std::io::stderr().lock();
            // A log that nobody reads must not stop the daemon.
            let _unread =
                writeln!(stderr, "tokenvaultd: {}: {}", record.level().as_str().to_lowercase(), record.args());
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_service_manager_that_lets_one_wait_holds_up_nothing_else() {
        let (go_on, told_to) = mpsc::channel();
        let (heard, hears) = tokio::sync::oneshot::channel();
        let telling = aside(move || {
            let _heard = heard.send(told_to.recv_timeout(Duration::from_secs(20)));
        });
        // Both in one thread: who waits there for the service manager does not come to this.
        let ((), sent) = tokio::join!(telling, async { go_on.send(()) });
        sent.unwrap();
        assert_eq!(hears.await.unwrap(), Ok(()));
    }
}
