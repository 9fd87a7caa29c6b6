//! What the programs show at a terminal of the usual width.
#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};

const TOKENVAULTCTL: &str = env!("CARGO_BIN_EXE_tokenvaultctl");
const COLUMNS: u16 = 80;

/// What a program shows at a terminal of 80 columns. It is short enough for the buffer of a terminal nobody reads yet.
fn screen(program: &str, args: &[&str]) -> String {
    let size = Winsize { ws_row: 24, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).unwrap();
    let mut child = Command::new(program)
        .args(args)
        .env("TOKENVAULT_ADDRESS", "unix:path=/nowhere/in/a/directory/with/a/long/name/tokenvault/bus")
        .env("NO_COLOR", "1")
        .env("PAGER", "cat")
        .stdin(Stdio::null())
        .stdout(Stdio::from(pty.slave))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.wait().unwrap();
    let mut shown = Vec::new();
    // A terminal whose other end is closed ends with EIO, after everything was read.
    File::from(pty.master).read_to_end(&mut shown).ok();
    String::from_utf8(shown).unwrap().replace('\r', "")
}

#[test]
fn the_doctor_fits_into_eighty_columns_and_puts_what_to_do_below() {
    let shown = screen(TOKENVAULTCTL, &["doctor"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() <= usize::from(COLUMNS)), "{shown}");
    assert!(lines.first().unwrap().starts_with("CHECK "), "{shown}");
    let found = lines.iter().position(|line| line.starts_with("reachable ")).unwrap();
    let below = lines.get(found + 1).unwrap();
    assert!(below.starts_with("           "), "long texts go on under their beginning: {shown}");
    assert!(
        lines.iter().any(|line| line.trim() == "-> systemctl status tokenvaultd; journalctl -u tokenvaultd"),
        "{shown}"
    );
    assert_eq!(lines.last().unwrap(), &"1 failed, 1 to look at, 3 checked.", "{shown}");
}
