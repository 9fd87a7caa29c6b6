//! Long text through the user's pager.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Fewer lines fit on any screen.
const LINES: usize = 20;
/// Quit when it fits, keep colours, chop nothing, leave the screen as it is, end at Ctrl-C.
const LESS: &str = "FRXMK";

/// Whether `text` may not fit on the screen. The pager knows the true height, and ends at once when it does fit.
pub fn longer_than_screen(text: &str) -> bool {
    text.lines().count() > LINES
}

/// Shows `text`; false when there is no pager to show it.
pub fn show(text: &str) -> bool {
    let chosen = ["TOKENVAULT_PAGER", "PAGER"].iter().find_map(|name| std::env::var(name).ok());
    let chosen = chosen.unwrap_or_else(|| "less".to_owned());
    let mut words = chosen.split_whitespace();
    let Some(program) = words.next().filter(|program| *program != "cat") else {
        return false;
    };
    // Secure mode: a pager under sudo must not become a shell.
    let child = Command::new(program)
        .args(words)
        .env("LESS", LESS)
        .env("LESSSECURE", "1")
        .env("LESSCHARSET", "utf-8")
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        return false;
    };
    if let Some(mut stdin) = child.stdin.take() {
        // A reader that quits early has seen what it wanted.
        let _ = stdin.write_all(text.as_bytes());
    }
    child.wait().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_needs_no_pager() {
        assert!(!longer_than_screen(&"line\n".repeat(20)));
        assert!(longer_than_screen(&"line\n".repeat(21)));
    }
}
