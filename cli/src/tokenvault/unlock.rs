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
const PASSWORD: &str = "Login password";
const OLD_PASSWORD: &str = "Password before the change";
/// Room for a recovery code typed with a space after every letter.
const TYPED_CODE_MAX: usize = 4 * written_len(RECOVERY_CODE_BYTES);

/// Open your login-class tokens with your login password; the first time, make the key that opens them
///
/// With the PAM module installed, a login with the password does this by itself. The first time nothing checks the password: the
/// vault does not know that of your login, and takes the word it is given. When that is another one, a login does not open the
/// tokens; 'tokenvault unlock --recovery' with the recovery code puts it right.
#[derive(clap::Args)]
pub struct Args {
    /// Read the login password from an open file descriptor
    #[arg(long, value_name = "N", value_parser = parse::descriptor, allow_hyphen_values = true)]
    password_fd: Option<RawFd>,

    /// After the password was changed by somebody else: the one before is asked for as well
    #[arg(long, conflicts_with = "recovery")]
    changed: bool,

    /// The same, and read the password before the change from an open file descriptor
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
    if args.recovery {
        recover(&client, uid, &state, &args)?;
    } else if args.changed || args.old_password_fd.is_some() {
        let old = old_password(&args)?;
        replace(&client, uid, &state, &old, &new_password(&args)?)?;
    } else if !state.unlocked || state.stale {
        unlock(&client, uid, &state, &args)?;
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
    if args.recovery || args.changed || args.old_password_fd.is_some() {
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
    if args.password_fd.is_none() {
        Terminal::open(INSTEAD)?.show(
            "Your login-class tokens get a key that your login password opens.\n\
             Nothing checks the password now: type the one that you log in with.\n",
        )?;
    }
    let password = new_password(args)?;
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

/// A password that opened the login before, and may not any more.
fn unlock(client: &Client, uid: u32, state: &LoginState, args: &Args) -> Result<(), Failure> {
    let password = match args.password_fd {
        Some(fd) => read_passphrase(&Source::Descriptor(fd))?,
        None => ask(&Terminal::open(INSTEAD)?, PASSWORD)?,
    };
    let Err(error) = client.unlock_login(uid, derive(&password, state)?.as_ref()) else { return Ok(()) };
    // What only this password says is no reason to give up the one before: it may be mistyped.
    if error.code() != ErrorCode::AccessDenied || !state.stale || args.password_fd.is_some() {
        return Err(error.into());
    }
    let terminal = Terminal::open(INSTEAD)?;
    terminal.show(
        "This does not open your login-class tokens, and neither did a login: the password was changed by somebody else.\n\
         The one before opens them once more, or --recovery does.\n",
    )?;
    let old = ask(&terminal, OLD_PASSWORD)?;
    let password = terminal.ask_again(PASSWORD, password, PASSPHRASE_BYTES_MAX)?;
    check_passphrase(&password)?;
    replace(client, uid, state, &old, &password)
}

/// A new password opens the login, beside the old one: which of them is right shows the next login.
fn replace(client: &Client, uid: u32, state: &LoginState, old: &SecretBytes, new: &SecretBytes) -> Result<(), Failure> {
    let (old, new) = (derive(old, state)?, derive(new, state)?);
    Ok(client.set_login_key(uid, old.as_ref(), new.as_ref())?)
}

fn recover(client: &Client, uid: u32, state: &LoginState, args: &Args) -> Result<(), Failure> {
    let code = recovery_code(args)?;
    let password = new_password(args)?;
    Ok(client.recover_login(uid, code.expose(), derive(&password, state)?.as_ref())?)
}

/// A password that is to open the login from now on. At a terminal it is typed twice.
fn new_password(args: &Args) -> Result<SecretBytes, Failure> {
    if let Some(fd) = args.password_fd {
        return read_passphrase(&Source::Descriptor(fd));
    }
    let password = Terminal::open(INSTEAD)?.ask_twice(PASSWORD, PASSPHRASE_BYTES_MAX)?;
    check_passphrase(&password)?;
    Ok(password)
}

fn old_password(args: &Args) -> Result<SecretBytes, Failure> {
    match args.old_password_fd {
        Some(fd) => read_passphrase(&Source::Descriptor(fd)),
        None => ask(&Terminal::open("hand it over with --old-password-fd N")?, OLD_PASSWORD),
    }
}

fn ask(terminal: &Terminal, question: &str) -> Result<SecretBytes, Failure> {
    let password = terminal.ask(question, Echo::Hidden, PASSPHRASE_BYTES_MAX)?;
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
