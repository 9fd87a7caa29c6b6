//! `config`: what the daemon is told by its files. The daemon alone knows what they mean.

mod check;
mod show;

use std::io;
use std::path::{Path, PathBuf};

pub use check::{Judgement, judge_the_installed};
use clap::Subcommand;
use tokenvault_proto::DEFAULTS_FILE;

use crate::common::Context;
use crate::failure::Failure;

const LOCAL: &str = "/etc/tokenvault/tokenvault.conf";
const DROP_INS: &str = "/etc/tokenvault/tokenvault.conf.d";

/// Show and check the configuration of the daemon
#[derive(Subcommand)]
pub enum Command {
    Show(show::Args),
    Check(check::Args),
}

/// Does what is asked.
pub fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Show(args) => show::run(context, args),
        Command::Check(args) => check::run(context, args),
    }
}

/// The files that are there below `root`, in the order in which they are read: what comes later wins.
pub fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        [DEFAULTS_FILE, LOCAL].iter().map(|path| below(root, path)).filter(|path| path.exists()).collect();
    let mut drop_ins = match std::fs::read_dir(below(root, DROP_INS)) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    drop_ins.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    drop_ins.sort();
    files.append(&mut drop_ins);
    Ok(files)
}

/// An absolute path, as if `root` were the root directory.
fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_the_order_in_which_they_win() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = below(root.path(), path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        assert_eq!(files(root.path()).unwrap(), Vec::<PathBuf>::new());
        for path in [
            "/etc/tokenvault/tokenvault.conf.d/20-b.conf",
            "/etc/tokenvault/tokenvault.conf.d/10-a.conf",
            "/etc/tokenvault/tokenvault.conf.d/10-a.conf.bak",
            LOCAL,
            DEFAULTS_FILE,
        ] {
            write(path);
        }
        let names = [
            DEFAULTS_FILE,
            LOCAL,
            "/etc/tokenvault/tokenvault.conf.d/10-a.conf",
            "/etc/tokenvault/tokenvault.conf.d/20-b.conf",
        ];
        assert_eq!(files(root.path()).unwrap(), names.map(|name| below(root.path(), name)));
    }
}
