//! One runtime for the targets that serve, and what no task of it may do: panic, or go on for ever.

use std::future::Future;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// Longer than anything takes here, and shorter than what libFuzzer waits for.
const PATIENCE: Duration = Duration::from_secs(8);

/// A task that panics ends alone, so the hook is asked.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// Runs something to its end, on this thread, with all tasks that were begun here before.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Mutex<Runtime>> = OnceLock::new();
    watch_panics();
    let runtime = RUNTIME.get_or_init(|| Mutex::new(Builder::new_current_thread().enable_all().build().unwrap()));
    let runtime = runtime.lock().unwrap_or_else(PoisonError::into_inner);
    let done = runtime.block_on(async { timeout(PATIENCE, work).await });
    assert!(!HAS_PANICKED.swap(false, Ordering::Relaxed), "a task has panicked");
    done.expect("it ends")
}

fn watch_panics() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            HAS_PANICKED.store(true, Ordering::Relaxed);
            told(info);
        }));
    });
}
