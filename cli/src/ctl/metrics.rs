//! `metrics`: what the daemon has done so far, for whoever collects such numbers.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::common::Context;
use crate::failure::Failure;

/// Everybody may read the file: a collector does not run as root.
const MODE: u32 = 0o644;
/// How the file's name ends until it is whole; collectors look for other ends of names.
const UNFINISHED: &str = ".new";

/// Print what the daemon has done so far, in the text format of OpenMetrics
///
/// As root: calls by method and outcome, how long they took, the store, the TPM; as anybody else the vault's state and what is
/// one's own. No names and no values are in it.
#[derive(clap::Args)]
pub struct Args {
    /// Write it to this file, which is there whole or not at all, as the textfile collector of node_exporter wants it; its
    /// name ends in .prom. The timer tokenvault-metrics.timer does this every minute, with
    /// /var/lib/prometheus/node-exporter/tokenvault.prom, where that directory is there
    #[arg(long, value_name = "FILE")]
    textfile: Option<PathBuf>,
}

#[derive(Serialize)]
struct Metrics<'a> {
    text: &'a str,
}

/// Prints or writes them.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    if let Some(path) = args.textfile.as_deref().filter(|path| path.extension().is_none_or(|end| end != "prom")) {
        return Err(Failure::usage(
            format_args!("node_exporter does not read '{}'", path.display()),
            "give the file a name that ends in .prom",
        ));
    }
    let text = context.client()?.metrics()?;
    if let Some(path) = &args.textfile {
        replace(path, &text).map_err(|error| {
            Failure::io(
                format_args!("cannot write {}", path.display()),
                &error,
                "name a file in a directory that is there",
            )
        })?;
        return context.output.done();
    }
    if context.output.wants_json() {
        return context.output.json(&Metrics { text: &text });
    }
    context.output.write(text.as_bytes())
}

/// Puts a new file in the place of the old one. The directory may be somebody else's: no link in it is followed.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = PathBuf::from(unfinished);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
    let written = file
        .set_permissions(Permissions::from_mode(MODE))
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // What is half is of no use to anybody.
        let _left_behind = fs::remove_file(&unfinished);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_read_by_everybody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokenvault.prom");
        for text in ["first\n", "second\n"] {
            replace(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_that_waits_for_it_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("tokenvault.prom"), dir.path().join("other"));
        fs::write(&other, "untouched").unwrap();
        symlink(&other, dir.path().join("tokenvault.prom.new")).unwrap();
        symlink(&other, &path).unwrap();
        replace(&path, "text\n").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "untouched");
        assert_eq!(fs::read_to_string(&path).unwrap(), "text\n");
        assert!(replace(&dir.path().join("none/x.prom"), "text\n").is_err());
    }
}
