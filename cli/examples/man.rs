//! Writes the manual pages of both programs from their command lines, or checks that those in a directory are what they give.
//!
//! `man DIRECTORY` writes, `man --check DIRECTORY` compares.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, Command};
use clap_mangen::Man;
use tokenvault_proto::ErrorCode;

type Failure = Box<dyn std::error::Error>;
/// Names of files and what is in them.
type Pages = BTreeMap<String, Vec<u8>>;

const ENVIRONMENT: &[(&str, &str)] = &[
    ("TOKENVAULT_ADDRESS", "The vault to talk to, as with \\fB\\-\\-address\\fR."),
    ("TOKENVAULT_PAGER, PAGER", "Shows what is longer than the screen; by default less. \"cat\" or nothing: no pager."),
    ("NO_COLOR", "Set to anything: no colours."),
];
/// Exit statuses that are not in the table of errors.
const OTHER_STATUSES: &[(u8, &str)] = &[
    (0, "done"),
    (
        1,
        "tokenvault validate: not valid; tokenvaultctl doctor: a check failed; tokenvaultctl credential test: the unit would be \
         refused; tokenvaultctl notify: its command failed; tokenvaultctl backup create: its hook failed; tokenvaultctl \
         backup verify: the backup is not whole; tokenvaultctl selftest: a step failed",
    ),
    (78, "tokenvaultctl config check: the configuration is bad"),
    (126, "tokenvault run: the command cannot be started"),
    (127, "tokenvault run: there is no such command"),
    (130, "cancelled at a prompt"),
    (141, "the reader of standard output went away"),
];

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag, directory] if flag == "--check" => check(Path::new(directory)),
        [directory] => write(Path::new(directory)),
        _ => Err("usage: man [--check] DIRECTORY".into()),
    }
}

fn write(directory: &Path) -> Result<ExitCode, Failure> {
    std::fs::create_dir_all(directory)?;
    let pages = pages()?;
    for name in present(directory)?.iter().filter(|name| !pages.contains_key(*name)) {
        std::fs::remove_file(directory.join(name))?;
    }
    for (name, page) in pages {
        std::fs::write(directory.join(name), page)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check(directory: &Path) -> Result<ExitCode, Failure> {
    let pages = pages()?;
    let same = |(name, page): (&String, &Vec<u8>)| std::fs::read(directory.join(name)).is_ok_and(|kept| kept == *page);
    if present(directory)?.iter().eq(pages.keys()) && pages.iter().all(same) {
        return Ok(ExitCode::SUCCESS);
    }
    Err(format!("{} is not what cli/src gives; run 'make man' and commit it", directory.display()).into())
}

/// How a page begins that was written by hand, in mdoc(7); those are left alone.
const BY_HAND: &[u8] = b".Dd ";

/// The pages that lie in a directory and are not written by hand.
fn present(directory: &Path) -> Result<BTreeSet<String>, Failure> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if !std::fs::read(entry.path())?.starts_with(BY_HAND) {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// A page for each program and for each of its subcommands, in the sections for users and for administrators.
fn pages() -> Result<Pages, Failure> {
    let mut pages = Pages::new();
    for (command, section) in [(tokenvault_cli::tokenvault::command(), "1"), (tokenvault_cli::ctl::command(), "8")] {
        let mut command = command.disable_help_subcommand(true);
        command.build();
        add(&mut pages, &command, section)?;
    }
    Ok(pages)
}

fn add(pages: &mut Pages, command: &Command, section: &str) -> Result<(), Failure> {
    pages.insert(format!("{}.{section}", name(command)), page(command, section)?);
    command.get_subcommands().filter(|sub| !sub.is_hide_set()).try_for_each(|sub| add(pages, sub, section))
}

/// `tokenvault-put`
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn page(command: &Command, section: &str) -> Result<Vec<u8>, Failure> {
    let own = if program_of(command).is_some() { without_common_options(command) } else { command.clone() };
    let man = Man::new(own).section(section).source("tokenvault").manual("tokenvault");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    write!(page, ".SH SYNOPSIS\n{}\n", escape(&synopsis(command)))?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(examples) = command.get_after_help() {
        write!(page, ".SH EXAMPLES\n.nf\n{}\n.fi\n", escape(&examples.to_string().replace("Examples:\n", "")))?;
    }
    page.extend(closing(command, section).into_bytes());
    Ok(page)
}

/// The program whose subcommand this is.
fn program_of(command: &Command) -> Option<&str> {
    command.get_bin_name()?.split_once(' ').map(|(program, _)| program)
}

/// A subcommand without the options that all of them have.
fn without_common_options(command: &Command) -> Command {
    let is_common = |arg: &Arg| arg.get_help_heading() == Some("Common options");
    command.clone().mut_args(|arg| if is_common(&arg) { arg.hide(true) } else { arg })
}

/// The line of the help, without the word before it.
fn synopsis(command: &Command) -> String {
    command.clone().render_usage().to_string().replace("Usage: ", "")
}

/// What a page ends with. The subcommands leave to the page of their program what is the same for all of them.
fn closing(command: &Command, section: &str) -> String {
    match program_of(command) {
        Some(program) => format!(
            ".SH \"COMMON OPTIONS\"\n\\fB\\-\\-address\\fR, \\fB\\-\\-json\\fR and the others that every command has are told \
             in {program}({section}).\n\
             .SH \"EXIT STATUS\"\n0 when it is done; the others are told in {program}({section}).\n\
             .SH \"SEE ALSO\"\n{program}({section})\n"
        ),
        None => format!("{}.SH \"SEE ALSO\"\ntokenvault(1), tokenvaultctl(8)\n", statuses_and_variables()),
    }
}

/// What the page of a program ends with: the statuses of the table of errors and its own, and the variables.
fn statuses_and_variables() -> String {
    let mut statuses: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
    let of_errors = ErrorCode::TABLE.iter().map(|entry| (entry.exit_status, entry.text));
    for (status, text) in OTHER_STATUSES.iter().copied().chain(of_errors) {
        statuses.entry(status).or_default().push(text);
    }
    let mut text = String::from(".SH \"EXIT STATUS\"\n");
    for (status, texts) in statuses {
        let _ = write!(text, ".TP\n{status}\n{}\n", escape(&texts.join("; ")));
    }
    text.push_str(".SH ENVIRONMENT\n");
    for (variable, meaning) in ENVIRONMENT {
        let _ = write!(text, ".TP\n\\fB{variable}\\fR\n{meaning}\n");
    }
    text
}

/// Plain text as roff: hyphens that can be copied, and no line that begins like a request.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let guard = |line: &str| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() };
    text.lines().map(guard).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    fn text(pages: &Pages, name: &str) -> String {
        String::from_utf8(pages.get(name).unwrap().clone()).unwrap()
    }

    #[test]
    fn every_subcommand_has_a_page_with_its_options_and_the_common_ones() {
        let pages = pages().unwrap();
        for name in
            ["tokenvault.1", "tokenvault-put.1", "tokenvault-run.1", "tokenvaultctl.8", "tokenvaultctl-slot-add.8"]
        {
            let page = text(&pages, name);
            for section in [".SH NAME", ".SH SYNOPSIS", ".SH \"COMMON OPTIONS\"", ".SH \"EXIT STATUS\""] {
                assert!(page.contains(section), "{name} has no {section}");
            }
        }
        assert!(text(&pages, "tokenvault-put.1").contains("keep\\-versions"));
        assert!(!text(&pages, "tokenvault-put.1").contains("value_on_the_command_line"));
    }

    #[test]
    fn every_exit_status_of_the_table_of_errors_is_told() {
        let page = text(&pages().unwrap(), "tokenvault.1");
        for entry in ErrorCode::TABLE {
            assert!(page.contains(&format!(".TP\n{}\n", entry.exit_status)) && page.contains(&escape(entry.text)));
        }
    }

    #[test]
    fn a_page_that_is_changed_missing_or_left_over_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        assert!(check(directory.path()).is_ok());
        let page = directory.path().join("tokenvault.1");
        let kept = std::fs::read(&page).unwrap();
        std::fs::write(&page, "changed").unwrap();
        assert!(check(directory.path()).is_err());
        std::fs::remove_file(&page).unwrap();
        assert!(check(directory.path()).is_err());
        std::fs::write(&page, kept).unwrap();
        std::fs::write(directory.path().join("tokenvault-gone.1"), "").unwrap();
        assert!(check(directory.path()).is_err());
        write(directory.path()).unwrap();
        assert!(check(directory.path()).is_ok(), "writing takes away what is left over");
    }
}
