//! `config show`: the files of the configuration, one after the other, each under its name.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::common::Context;
use crate::failure::Failure;
use crate::output::escape;

/// Show the files of the configuration in the order in which they are read; what comes later wins
#[derive(clap::Args)]
pub struct Args {
    /// Show this file instead
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Serialize)]
struct File {
    path: String,
    text: String,
}

#[derive(Serialize)]
struct Files {
    files: Vec<File>,
}

/// Prints the files.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let paths = match args.config {
        Some(path) => vec![path],
        None => super::files(Path::new("/"))
            .map_err(|error| Failure::io("cannot list the configuration", &error, "run it as root"))?,
    };
    let files = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    if context.output.wants_json() {
        return context.output.json(&Files { files });
    }
    if files.is_empty() {
        context.output.note("there is no configuration file; the daemon uses its defaults");
    }
    context.output.text(&files.iter().map(section).collect::<Vec<_>>().join("\n"))
}

fn read(path: &Path) -> Result<File, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::io(format_args!("cannot read '{}'", path.display()), &error, "check its owner and mode")
    })?;
    Ok(File { path: path.display().to_string(), text })
}

/// A file under a comment with its name, safe for a terminal.
fn section(file: &File) -> String {
    let mut section = format!("# {}\n", escape(&file.path));
    for line in file.text.lines() {
        section.push_str(&escape(line));
        section.push('\n');
    }
    section
}
