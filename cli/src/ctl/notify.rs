//! `notify`: a command is run with what expires soon, for those who do not follow the vault themselves.
//!
//! This asks the daemon and runs the command; the daemon runs no program but its own. Up to when it was told is kept in a file
//! and changed when the command has done its work: what could not be told is told the next time.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::Serialize;
use tokenvault_client::Client;
use tokenvault_proto::{ExpiringInfo, ExpiringOptions};

use crate::common::Context;
use crate::failure::{Failure, UNDONE};
use crate::output::document;
use crate::parse;

/// Where a command finds its programs, and the language it speaks: nothing else is in its environment.
const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];

const EXAMPLES: &str = "Examples:
  tokenvaultctl notify --state /var/lib/told -- /usr/bin/mail -s 'tokens that expire' root
  printf '#!/bin/sh\\nexec mail -s \"tokens that expire\" root\\n' | install -m 755 /dev/stdin /etc/tokenvault/notify
  systemctl enable --now tokenvault-notify.timer";

/// Run a command with what expires soon
///
/// The command is run without a shell. On its standard input it finds a line of JSON for each token that, since the last time, came
/// as near to its end as 'expiring-before' of tokenvault.conf(5) names, or expired: "event" (token-expiring, token-expired),
/// "owner", "user" where the owner has a name, "name", "version", "expires". No value is in it. Where there is nothing to tell it is
/// not run. When it fails, the same is told the next time. tokenvault-notify.timer does this every hour, with /etc/tokenvault/notify,
/// which root alone may write: root runs it, with a /tmp and devices of its own and without /home. 'systemctl edit
/// tokenvault-notify' gives it more.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The file that keeps up to when it was told; where there is none yet, nothing before now is told
    #[arg(long, value_name = "FILE")]
    state: PathBuf,

    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Serialize)]
struct Event<'a> {
    event: &'static str,
    owner: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    name: &'a str,
    version: u64,
    expires: u64,
}

#[derive(Serialize)]
struct Count {
    count: usize,
}

/// Asks, runs the command, and keeps up to when that was.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let until = parse::time_now();
    let since = read(&args.state)?.map_or(until, |since| since.min(until));
    let tokens = fetch(&context.client()?, since, until)?;
    if !tokens.is_empty() {
        tell(&args.command, &tokens, until)?;
    }
    write(&args.state, until)?;
    let count = tokens.len();
    if context.output.wants_json() {
        return context.output.json(&Count { count });
    }
    context.output.note(&format!("{count} {} told", if count == 1 { "event" } else { "events" }));
    Ok(())
}

fn fetch(client: &Client, since: u64, until: u64) -> Result<Vec<ExpiringInfo>, Failure> {
    let mut options = ExpiringOptions { since: Some(since), until: Some(until), after: None };
    let mut tokens = Vec::new();
    loop {
        let (page, next) =
            client.expiring(&options).map_err(|error| Failure::told_to_timer(error.code(), &error.to_string()))?;
        tokens.extend(page);
        if next.is_empty() {
            return Ok(tokens);
        }
        options.after = Some(next);
    }
}

/// Runs the command to its end, with a line for each token to read.
fn tell(command: &[OsString], tokens: &[ExpiringInfo], until: u64) -> Result<(), Failure> {
    let next = "name one that can be run";
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::usage("no command is given", next));
    };
    let shown = Path::new(program).display().to_string();
    let input = lines(tokens, until).map_err(|error| Failure::io("cannot keep what is to be told", &error, next))?;
    let mut child = Command::new(program);
    child.args(arguments).env_clear().envs(ENVIRONMENT).current_dir("/").stdin(Stdio::from(input));
    let status = child.status().map_err(|error| Failure::io(format_args!("cannot run {shown}"), &error, next))?;
    if status.success() {
        return Ok(());
    }
    let cause = format!("{shown} did not take {} events: {status}", tokens.len());
    Err(Failure::with_status(UNDONE, cause, "they are told again the next time"))
}

/// What is told, as something to read from: a command that does not read it keeps nobody waiting.
fn lines(tokens: &[ExpiringInfo], until: u64) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(c"tokenvault-notify", MFdFlags::MFD_CLOEXEC)?);
    for token in tokens {
        let event = Event {
            event: if token.expires <= until { "token-expired" } else { "token-expiring" },
            owner: &token.owner,
            user: user_of(&token.owner),
            name: &token.name,
            version: token.version,
            expires: token.expires,
        };
        file.write_all(&document(&event, false)?)?;
    }
    file.rewind()?;
    Ok(file.into())
}

fn user_of(owner: &str) -> Option<String> {
    let uid = owner.strip_prefix("uid:")?.parse().ok()?;
    nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

/// Up to when it was told; `None`: never.
fn read(path: &Path) -> Result<Option<u64>, Failure> {
    let next = "name a file of this command's own, or take it away";
    match fs::read_to_string(path) {
        Ok(text) => text
            .trim_end()
            .parse()
            .map(Some)
            .map_err(|_| Failure::usage(format!("{} holds no time", path.display()), next)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io(format_args!("cannot read {}", path.display()), &error, next)),
    }
}

/// Keeps it: the file is the old one or the new one, whatever happens.
fn write(path: &Path, until: u64) -> Result<(), Failure> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    // One that was left over, or a link that somebody has put there.
    let _none = fs::remove_file(&unfinished);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(format!("{until}\n").as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, path));
    written.map_err(|error| {
        let next = "name a file in a directory that can be written; what was told is told again otherwise";
        Failure::io(format_args!("cannot write {}", path.display()), &error, next)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_nothing_else_is_taken_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("told");
        assert_eq!(read(&path).unwrap(), None);
        write(&path, 17).unwrap();
        write(&path, 18).unwrap();
        assert_eq!(read(&path).unwrap(), Some(18));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::write(&path, "nonsense").unwrap();
        assert_eq!(read(&path).unwrap_err().status(), 2);
        assert!(write(&dir.path().join("none/told"), 1).is_err());
    }

    #[test]
    fn there_is_a_line_for_each_that_says_what_it_is() {
        let token =
            |name: &str, expires| ExpiringInfo { name: name.into(), owner: "uid:0".into(), version: 2, expires };
        let mut text = String::new();
        let lines = lines(&[token("a\nb", 5), token("c", 50)], 10).unwrap();
        File::from(lines).read_to_string(&mut text).unwrap();
        let said: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((said[0]["event"].as_str(), said[0]["name"].as_str()), (Some("token-expired"), Some("a\nb")));
        assert_eq!((said[1]["event"].as_str(), said[1]["user"].as_str()), (Some("token-expiring"), Some("root")));
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn a_command_that_fails_or_is_none_says_so() {
        let told = |words: &[&str]| {
            let command: Vec<OsString> = words.iter().map(OsString::from).collect();
            tell(&command, &[ExpiringInfo::default()], 1)
        };
        assert!(told(&["/bin/true"]).is_ok());
        assert_eq!(told(&["/bin/false"]).unwrap_err().status(), UNDONE);
        assert_eq!(told(&["/nowhere/notify"]).unwrap_err().status(), 2);
    }
}
