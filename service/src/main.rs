//! tokenvaultd: the vault daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tokenvaultd::caller::Users;
use tokenvaultd::config::{self, Config, Source};
use tokenvaultd::groups::Groups;
use tokenvaultd::signals::Signals;
use tokenvaultd::startup::{Stop, run};
use tokenvaultd::{directories, journal, sandbox, sys};

/// Answering takes microseconds: more threads than this only wait for each other.
const WORKER_THREADS_MAX: usize = 4;
/// Threads for what blocks: user database, filtered lists, TPM. More than a user database that hangs can take of them; the
/// rest waits its turn.
const BLOCKING_THREADS_MAX: usize = 96;

/// Keeps the tokens of this machine's users and services, sealed to its TPM.
#[derive(Debug, Parser)]
#[command(name = "tokenvaultd", version, about, max_term_width = 100)]
struct Arguments {
    /// Read this file instead of the installed ones.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration and exit.
    #[arg(long)]
    check_config: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    journal::start();
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            log::error!("{stop}");
            ExitCode::from(stop.exit_status())
        }
    }
}

fn start(arguments: Arguments) -> Result<(), Stop> {
    let source = arguments.config.map_or(Source::Installed, Source::File);
    let config = config::load(&source)?;
    if arguments.check_config {
        return check_groups(&config);
    }
    journal::hush_panics();
    sys::process::forbid_dumps().map_err(|error| Stop::Fatal(format!("core dumps cannot be forbidden: {error}")))?;
    sys::process::raise_limits();
    directories::prepare(&config).map_err(Stop::Fatal)?;
    sandbox::enter(&config).map_err(|error| Stop::Fatal(format!("the sandbox cannot be set up: {error}")))?;
    let signals = Signals::take_over().map_err(|error| Stop::Fatal(format!("signals: {error}")))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(WORKER_THREADS_MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .map_err(|error| Stop::Fatal(format!("the runtime does not start: {error}")))?;
    let outcome = runtime.block_on(run(config, source, signals));
    // What still blocks (a look-up in a directory that hangs) does not keep the daemon from ending.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

/// Says which groups of the configuration are not known. The daemon starts all the same: they may come later.
fn check_groups(config: &Config) -> Result<(), Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::Fatal(format!("the runtime does not start: {error}")))?;
    let groups = runtime.block_on(Groups::look_up(&Users::default(), config, &Groups::default()));
    if groups.health() != "ok" {
        log::warn!("{}", groups.health());
    }
    // A directory that hangs keeps nobody waiting.
    runtime.shutdown_background();
    Ok(())
}
