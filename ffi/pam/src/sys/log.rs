//! A line for the system's log, by one datagram to `/dev/log`.
//!
//! Not by `syslog(3)`, and so not by `pam_syslog(3)`: that keeps its socket open in the host, and waits for a log daemon that
//! does not read.

use std::fmt::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::host::Level;

/// Where the log daemon listens.
const LOG: &str = "/dev/log";

/// Writes one line, or nothing where nobody listens.
pub(crate) fn write(service: &str, kind: &str, level: Level, text: &str) {
    write_to(Path::new(LOG), &line(service, kind, level, text));
}

fn write_to(log: &Path, line: &str) {
    let Ok(socket) = UnixDatagram::unbound() else { return };
    if socket.set_nonblocking(true).is_ok() {
        let _ = socket.send_to(line.as_bytes(), log);
    }
}

fn line(service: &str, kind: &str, level: Level, text: &str) -> String {
    let severity = match level {
        Level::Warning => libc::LOG_WARNING,
        Level::Notice => libc::LOG_NOTICE,
        Level::Debug => libc::LOG_DEBUG,
    };
    let mut line = String::new();
    let priority = libc::LOG_AUTHPRIV | severity;
    let _ = write!(line, "<{priority}>pam_tokenvault[{}]: ({service}:{kind}) {text}", std::process::id());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_speaks_and_about_what() {
        let line = line("sshd", "session", Level::Warning, "no");
        assert_eq!(line, format!("<84>pam_tokenvault[{}]: (sshd:session) no", std::process::id()));
    }

    #[test]
    fn a_log_that_is_not_there_or_not_read_keeps_nobody() {
        write_to(Path::new("/nonexistent/log"), "x");
        let directory = std::env::temp_dir().join(format!("tokenvault-pam-log.{}", std::process::id()));
        std::fs::remove_file(&directory).ok();
        let listener = UnixDatagram::bind(&directory).unwrap();
        for _ in 0..10_000 {
            write_to(&directory, "x");
        }
        std::fs::remove_file(&directory).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(listener.recv(&mut buffer).unwrap(), 1);
    }
}
