//! `tokenvault-pam-helper VERB USER`: what `pam_tokenvault.so` leaves to a process of its own.
//!
//! It derives the key of a login and hands it to the vault, and hands over the lease of a session. It is started by the
//! module alone, writes to no stream, and ends with the statuses of the commands: 0 done, 3 no login class, 4 the wrong
//! password, 7 too many of those, 8 no vault. Secrets come by standard input, each ended by a zero byte, and the daemon's
//! end of the lease is descriptor 3. It sets itself no time: the module kills it.
#![deny(unsafe_code)]

mod input;
mod sys;
mod vault;
mod verb;
mod work;

use std::process::ExitCode;

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::User;
use tokenvault_client::ErrorCode;

use crate::input::Unbuffered;
use crate::vault::Daemon;
use crate::verb::Verb;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => ExitCode::from(code.exit_status()),
    }
}

fn run() -> Result<(), ErrorCode> {
    leave_no_trace();
    let words: Vec<String> = std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()).collect();
    let [verb, name] = words.as_slice() else { return Err(ErrorCode::InvalidArgs) };
    let verb = Verb::from_word(verb).ok_or(ErrorCode::InvalidArgs)?;
    let secrets = input::read(&mut Unbuffered, verb.secrets()).ok_or(ErrorCode::InvalidArgs)?;
    let lease = verb.has_lease().then(sys::take_lease).transpose().map_err(|_| ErrorCode::InvalidArgs)?;
    let user = User::from_name(name).map_err(|_| ErrorCode::Unavailable)?.ok_or(ErrorCode::InvalidArgs)?;
    let vault = Daemon::open(user.uid.as_raw())?;
    work::perform(verb, &vault, &secrets, lease)
}

/// Passwords and keys are to be in no core dump, and out of reach of a debugger. Where this is refused, the rest still helps.
fn leave_no_trace() {
    let _ = set_dumpable(false);
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
}
