//! What is to be done next, as whoever reads it has to type it: somebody else than root needs sudo for what root alone may.

use nix::unistd::geteuid;

/// What each of these programs does for root alone; none: everything.
const FOR_ROOT: [(&str, &[&str]); 8] = [
    ("tokenvaultctl", &["init", "unseal", "seal", "slot", "user", "cleanup", "audit", "credential", "reload"]),
    ("systemctl", &["start", "restart", "reload", "reload-or-restart", "enable", "edit"]),
    ("timedatectl", &["set-ntp"]),
    ("systemd-tmpfiles", &[]),
    ("chmod", &[]),
    ("chown", &[]),
    ("groupadd", &[]),
    ("apt-get", &["install", "update"]),
];
const SUDO: &str = "sudo ";

/// `text` for whoever runs this program.
pub fn as_typed(text: &str) -> String {
    if geteuid().is_root() { text.to_owned() } else { elevate(text) }
}

/// Puts sudo before every command in `text` that needs it.
fn elevate(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, _)) = rest.char_indices().find(|(at, _)| begins_command(told.as_str(), rest, *at)) {
        let (before, command) = rest.split_at(at);
        let (program, after) = command.split_at(command.find(' ').unwrap_or(command.len()));
        told.push_str(before);
        told.push_str(SUDO);
        told.push_str(program);
        rest = after;
    }
    told.push_str(rest);
    told
}

/// Whether a command for root alone stands at a place of `rest`, which follows on `told`.
fn begins_command(told: &str, rest: &str, at: usize) -> bool {
    let (before, command) = rest.split_at(at);
    let is_word =
        |text: &str| text.chars().next_back().is_some_and(|last| last.is_alphanumeric() || "-_/.".contains(last));
    if is_word(before) || before.is_empty() && is_word(told) || before.ends_with(SUDO) {
        return false;
    }
    FOR_ROOT.iter().any(|(program, verbs)| {
        let Some(arguments) = command.strip_prefix(program).and_then(|rest| rest.strip_prefix(' ')) else {
            return false;
        };
        let verb = arguments.split(|last: char| !last.is_alphanumeric() && last != '-').next().unwrap_or_default();
        verbs.is_empty() || verbs.contains(&verb)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_alone_may_is_typed_with_sudo_and_nothing_else() {
        for (text, typed) in [
            ("run 'tokenvaultctl init --passphrase'", "run 'sudo tokenvaultctl init --passphrase'"),
            (
                "tokenvaultctl slot add tpm2, then tokenvaultctl slot remove ID",
                "sudo tokenvaultctl slot add tpm2, then sudo tokenvaultctl slot remove ID",
            ),
            ("see 'tokenvaultctl status' and 'tokenvault list'", "see 'tokenvaultctl status' and 'tokenvault list'"),
            ("sudo tokenvaultctl init", "sudo tokenvaultctl init"),
            ("man tokenvaultctl-init; tokenvaultctl", "man tokenvaultctl-init; tokenvaultctl"),
            (
                "systemctl status tokenvaultd; systemctl restart x",
                "systemctl status tokenvaultd; sudo systemctl restart x",
            ),
            ("chmod go+x", "sudo chmod go+x"),
            ("tokenvaultctl userland tokenvaultctl user", "tokenvaultctl userland sudo tokenvaultctl user"),
            ("é tokenvaultctl seal é", "é sudo tokenvaultctl seal é"),
            ("", ""),
        ] {
            assert_eq!(elevate(text), typed);
        }
    }
}
