//! Who owns and who may write what the vault trusts: its store, its settings, the program that root runs for it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::stat::SFlag;
use nix::unistd::{Uid, User};
use tokenvault_proto::DELETED_DIR;

use super::super::config;
use super::installed::STATE_DIR;

/// Beside the files of the configuration: what they are found in.
const SETTINGS: [&str; 2] = ["/etc/tokenvault", "/etc/tokenvault/tokenvault.conf.d"];
/// What tokenvault-notify.service and tokenvault-backup.service run as root.
const HOOKS: [&str; 2] = ["/etc/tokenvault/notify", "/etc/tokenvault/backup"];

/// A place that somebody owns or may write who must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// What is wrong with which.
    pub fault: String,
    /// The command that mends it.
    pub mend: String,
}

/// Who may own and use a place.
struct Rule {
    /// Permission bits that nobody but the owner may have.
    closed: u32,
    /// Whether it has to be root's.
    roots: bool,
    /// The argument of chmod that mends the bits.
    mode: &'static str,
}

/// The store belongs to the user that the daemon runs as.
const PRIVATE: Rule = Rule { closed: 0o077, roots: false, mode: "0700" };
const ROOTS: Rule = Rule { closed: 0o022, roots: true, mode: "go-w" };

/// Every such place of an installed vault.
pub fn exposed() -> Vec<Exposed> {
    let fixed = [DELETED_DIR].into_iter().chain(SETTINGS).chain(HOOKS).map(PathBuf::from);
    // A directory that cannot be listed has nothing that this caller could be told of.
    let files = config::files(Path::new("/")).unwrap_or_default();
    let roots = fixed.chain(files).map(|path| (path, ROOTS));
    let all = std::iter::once((PathBuf::from(STATE_DIR), PRIVATE)).chain(roots);
    all.filter_map(|(path, rule)| {
        // What is not there, or not to be seen, is nobody's to write.
        let found = fs::metadata(&path).ok()?;
        judge(&path, found.uid(), found.mode(), &rule)
    })
    .collect()
}

/// What is wrong with a place of this owner and mode.
fn judge(path: &Path, owner: u32, mode: u32, rule: &Rule) -> Option<Exposed> {
    let is_foreign = rule.roots && owner != 0;
    let is_open = mode & rule.closed != 0;
    let shown = path.display();
    let typed = quoted(&shown.to_string());
    let (chown, chmod) = (format!("chown root {typed}"), format!("chmod {} {typed}", rule.mode));
    let (fault, mend) = match (is_foreign, is_open) {
        (false, false) => return None,
        (true, false) => (format!("{shown} belongs to {}", name(owner)), chown),
        (false, true) => (format!("{shown} is open to others"), chmod),
        (true, true) => {
            (format!("{shown} belongs to {} and is open to others", name(owner)), format!("{chown} && {chmod}"))
        }
    };
    // Whoever could write it may have: once nobody can any more, root is to see what is in it.
    let is_file = SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == SFlag::S_IFREG;
    let mend = if rule.roots && is_file { format!("{mend} && cat -v {typed}") } else { mend };
    Some(Exposed { fault, mend })
}

fn name(uid: u32) -> String {
    let found = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    found.map_or_else(|| format!("uid {uid}"), |user| user.name)
}

/// A path for a command line. Who can make a file here chose its name.
fn quoted(path: &str) -> String {
    let is_plain = path.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
    if is_plain { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY_IS: u32 = 3_999_999_999;

    fn told(path: &str, owner: u32, mode: u32, rule: &Rule) -> Option<(String, String)> {
        judge(Path::new(path), owner, mode, rule).map(|Exposed { fault, mend }| (fault, mend))
    }

    #[test]
    fn what_root_alone_may_write_is_well_and_everything_else_is_told_with_its_command() {
        let say = |fault: &str, mend: &str| Some((fault.to_owned(), mend.to_owned()));
        for (owner, mode, expected) in [
            (0, 0o644, None),
            (0, 0o755, None),
            (0, 0o666, say("/x is open to others", "chmod go-w /x")),
            (0, 0o664, say("/x is open to others", "chmod go-w /x")),
            (0, 0o100_666, say("/x is open to others", "chmod go-w /x && cat -v /x")),
            (NOBODY_IS, 0o600, say("/x belongs to uid 3999999999", "chown root /x")),
            (
                NOBODY_IS,
                0o777,
                say("/x belongs to uid 3999999999 and is open to others", "chown root /x && chmod go-w /x"),
            ),
        ] {
            assert_eq!(told("/x", owner, mode, &ROOTS), expected, "{owner} {mode:o}");
        }
    }

    #[test]
    fn the_store_is_anybodys_and_for_nobody_else() {
        assert_eq!(told("/s", NOBODY_IS, 0o700, &PRIVATE), None);
        assert_eq!(told("/s", NOBODY_IS, 0o750, &PRIVATE).unwrap().1, "chmod 0700 /s");
    }

    #[test]
    fn a_name_is_no_command() {
        assert_eq!(told("/a;b 'c", 0, 0o666, &ROOTS).unwrap().1, r"chmod go-w '/a;b '\''c'");
    }
}
