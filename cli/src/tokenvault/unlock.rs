//! `unlock`: the caller's login-class tokens are opened; the first time, the login key is made.

use std::os::fd::RawFd;
use std::path::PathBuf;

use tokenvault_client::{Client, LoginState};
use tokenvault_kdf::Key;
use tokenvault_proto::{ErrorCode, RECOVERY_CODE_BYTES, written_len};

use crate::common::Context;
use crate::failure::Failure;
use crate::input::{Echo, PASSPHRASE_BYTES_MAX, Source, Terminal, check_passphrase, read_passphrase, read_text};
use crate::parse;
use crate::recovery::NewFile;
use crate::secret::SecretBytes;

const INSTEAD: &str = "hand it over with --password-fd N";
/// Room for a recovery code typed with a space after every letter.
const TYPED_CODE_MAX: usize = 4 * written_len(RECOVERY_CODE_BYTES);

/// Open your login-class tokens with your login password; the first time, make the key that opens them
///
/// With the PAM module installed, a login with the password does this by itself.
#[derive(clap::Args)]
pub struct Args {
    /// Read the login password from an open file descriptor
    #[arg(long, value_name = "N", value_parser = parse::descriptor, allow_hyphen_values = true)]
    password_fd: Option<RawFd>,

    /// After the password was changed by somebody else: read the one before from an open file descriptor
    #[arg(long, value_name = "N", value_parser = parse::descriptor, allow_hyphen_values = true)]
    old_password_fd: Option<RawFd>,

    /// After the password was changed by somebody else: use the recovery code, which is asked for
    #[arg(long, conflicts_with = "old_password_fd")]
    recovery: bool,

    /// Read the recovery code from a file; '-' is standard input
    #[arg(long, value_name = "FILE", requires = "recovery")]
    from_file: Option<PathBuf>,

    /// The first time: write the recovery code to a new file instead of the terminal
    #[arg(long, value_name = "FILE")]
    recovery_out: Option<PathBuf>,
}

/// Opens them.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let client = context.client()?;
    let uid = client.who_am_i()?.uid;
    let state = client.login_state(uid)?;
    if !state.enrolled {
        return enrol(context, &client, uid, &state, &args);
    }
    if state.unlocked && !state.stale && !args.recovery && args.old_password_fd.is_none() {
        return context.output.done();
    }
    let password = password(&args)?;
    let key = derive(&password, &state)?;
    if args.recovery {
        client.recover_login(uid, recovery_code(&args)?.expose(), key.as_ref())?;
    } else if let Some(fd) = args.old_password_fd {
        replace(&client, uid, &state, &read_passphrase(&Source::Descriptor(fd))?, &key)?;
    } else {
        match client.unlock_login(uid, key.as_ref()) {
            Ok(()) => {}
            Err(error) if error.code() == ErrorCode::AccessDenied && args.password_fd.is_none() => {
                ask_for_the_old(context, &client, uid, &state, &key)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    context.output.done()
}

/// How the recovery code reaches its owner.
enum Keeping {
    Screen(Terminal),
    File(NewFile),
}

/// The login key is made, and its recovery code kept by the user.
fn enrol(context: &Context, client: &Client, uid: u32, state: &LoginState, args: &Args) -> Result<(), Failure> {
    if args.recovery || args.old_password_fd.is_some() {
        return Err(Failure::new(
            ErrorCode::NotFound,
            "you have no login key yet, so there is nothing to recover",
            "run 'tokenvault unlock' to make one",
        ));
    }
    let keeping = match &args.recovery_out {
        Some(path) => Keeping::File(NewFile::create(path)?),
        None => Keeping::Screen(Terminal::open("write the recovery code to a file with --recovery-out FILE")?),
    };
    let password = match args.password_fd {
        Some(fd) => read_passphrase(&Source::Descriptor(fd))?,
        None => {
            let terminal = Terminal::open(INSTEAD)?;
            terminal.show("Your login-class tokens get a key that your login password opens.\n")?;
            let password = terminal.ask_twice("Login password", PASSPHRASE_BYTES_MAX)?;
            check_passphrase(&password)?;
            password
        }
    };
    let code = client.enrol_login(uid, derive(&password, state)?.as_ref())?;
    match keeping {
        Keeping::File(file) => file.write(code.as_bytes())?,
        Keeping::Screen(screen) => {
            screen.show(
                "\nThis is the recovery code of your login-class tokens. It opens them when your password was changed\n\
                 by somebody else, and is shown only now. Write it down and keep it away from this machine.\n\n    ",
            )?;
            screen.show(&code)?;
            screen.show("\n\n")?;
        }
    }
    context.output.done()
}

/// The password did not open the login: it was changed by somebody who did not know the old one.
fn ask_for_the_old(context: &Context, client: &Client, uid: u32, state: &LoginState, key: &Key) -> Result<(), Failure> {
    context.output.note("this password does not open your login-class tokens");
    let terminal = Terminal::open(INSTEAD)?;
    terminal.show("If it was changed by somebody else, the one before opens them, or --recovery does.\n")?;
    let old = terminal.ask("Password before the change", Echo::Hidden, PASSPHRASE_BYTES_MAX)?;
    if old.is_empty() {
        return Err(Failure::new(
            ErrorCode::AccessDenied,
            "your login-class tokens are still locked",
            "try again, or use the recovery code with --recovery",
        ));
    }
    replace(client, uid, state, &old, key)
}

fn replace(client: &Client, uid: u32, state: &LoginState, old: &SecretBytes, key: &Key) -> Result<(), Failure> {
    let old = derive(old, state)?;
    client.set_login_key(uid, old.as_ref(), key.as_ref())?;
    // Shows the vault that the new one is the right one.
    Ok(client.unlock_login(uid, key.as_ref())?)
}

fn password(args: &Args) -> Result<SecretBytes, Failure> {
    if let Some(fd) = args.password_fd {
        return read_passphrase(&Source::Descriptor(fd));
    }
    let password = Terminal::open(INSTEAD)?.ask("Login password", Echo::Hidden, PASSPHRASE_BYTES_MAX)?;
    check_passphrase(&password)?;
    Ok(password)
}

fn recovery_code(args: &Args) -> Result<SecretBytes, Failure> {
    match args.from_file.as_deref() {
        Some(path) => read_text(&Source::from_path(path)),
        None => Terminal::open("read it from a file with --from-file FILE")?.ask(
            "Recovery code",
            Echo::Shown,
            TYPED_CODE_MAX,
        ),
    }
}

fn derive(password: &SecretBytes, state: &LoginState) -> Result<Key, Failure> {
    tokenvault_kdf::derive(password.expose(), &state.salt, &state.params)
        .map_err(|error| Failure::new(ErrorCode::Unavailable, error, "stop something large and try again"))
}
