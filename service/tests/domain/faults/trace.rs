//! What a process has done to its files, as `strace` saw it: in one order, with what it said in between.

use std::collections::HashMap;

/// One thing that was done to a directory, whose files go by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Create(String),
    Write {
        file: String,
        at: usize,
        bytes: Vec<u8>,
    },
    /// Cut, or made longer with zeros.
    Resize {
        file: String,
        len: usize,
    },
    /// Made at least so long.
    Allocate {
        file: String,
        len: usize,
    },
    Sync(String),
    SyncDirectory,
    Rename(String, String),
    Link(String, String),
    Remove(String),
    /// A line on standard error.
    Told(String),
}

/// The calls that are looked at.
pub const CALLS: &str = "trace=open,openat,creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fallocate,copy_file_range,\
    sendfile,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat";

/// What a trace says of the files of the directory in which there is a file of this name.
pub fn read(trace: &str, file: &str) -> Vec<Step> {
    let directory = &directory_of(trace, file);
    let (mut begun, mut steps) = (HashMap::new(), Vec::new());
    for line in trace.lines() {
        let (pid, rest) = line.trim_start().split_once(' ').unwrap();
        let rest = rest.trim_start();
        if let Some(begin) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(pid, begin);
            continue;
        }
        let whole = match rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            Some((_, end)) => {
                format!("{}{end}", begun.remove(pid).unwrap_or_else(|| panic!("no beginning of: {line}")))
            }
            None => rest.to_owned(),
        };
        steps.extend(step(&whole, directory));
    }
    steps
}

fn directory_of(trace: &str, file: &str) -> String {
    let end: String = format!("/{file}").bytes().map(|byte| format!("\\x{byte:02x}")).chain([">".to_owned()]).collect();
    let (before, _) = trace.split_once(&end).expect("it has such a file");
    String::from_utf8(hex(before.rsplit_once('<').unwrap().1)).unwrap()
}

/// `call(arguments) = result`; `None` where it failed or is about no file of the directory.
fn step(line: &str, directory: &str) -> Option<Step> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") = ").or_else(|| rest.rsplit_once(')'))?;
    let result = result.trim_start_matches([' ', '=']);
    if result.starts_with(['-', '?']) {
        return None;
    }
    let arguments = split(arguments);
    let argument = |at: usize| arguments.get(at).copied().unwrap_or_default();
    let number = |at: usize| argument(at).parse::<usize>().unwrap_or_else(|_| panic!("no number {at}: {line}"));
    let own = |path: &str| path.strip_prefix(directory)?.strip_prefix('/').map(str::to_owned);
    let opened = |at: usize| own(&path_of(argument(at)));
    let named = |at: usize| own(&String::from_utf8_lossy(&bytes_of(argument(at))));
    let written = || result.split(['<', ' ']).next().unwrap_or_default().parse::<usize>().unwrap();
    match name {
        "write" if argument(0).starts_with("2<") => {
            Some(Step::Told(String::from_utf8_lossy(&bytes_of(argument(1))).trim_end().to_owned()))
        }
        "openat" | "open" | "creat" => {
            let path = if name == "openat" { named(1)? } else { named(0)? };
            let flags = if name == "openat" { argument(2) } else { argument(1) };
            assert!(!flags.contains("O_TRUNC"), "{line}");
            flags.contains("O_CREAT").then_some(Step::Create(path))
        }
        "pwrite64" => {
            let (file, mut bytes) = (opened(0)?, bytes_of(argument(1)));
            bytes.truncate(written());
            Some(Step::Write { file, at: number(3), bytes })
        }
        "ftruncate" => Some(Step::Resize { file: opened(0)?, len: number(1) }),
        "fallocate" => Some(Step::Allocate { file: opened(0)?, len: number(2) + number(3) }),
        "fsync" | "fdatasync" if path_of(argument(0)) == directory => Some(Step::SyncDirectory),
        "fsync" | "fdatasync" => Some(Step::Sync(opened(0)?)),
        "rename" => Some(Step::Rename(named(0)?, named(1)?)),
        "renameat" | "renameat2" => Some(Step::Rename(named(1)?, named(3)?)),
        "link" => Some(Step::Link(named(0)?, named(1)?)),
        "linkat" => Some(Step::Link(named(1)?, named(3)?)),
        "unlink" => Some(Step::Remove(named(0)?)),
        "unlinkat" => Some(Step::Remove(named(1)?)),
        // Nothing else is done to these files: what would be is to be looked at here.
        _ => {
            assert!((0..arguments.len()).all(|at| opened(at).is_none() && named(at).is_none()), "{line}");
            None
        }
    }
}

/// Arguments, where a comma in a text separates nothing.
fn split(mut rest: &str) -> Vec<&str> {
    let mut found = Vec::new();
    loop {
        let text_end = match rest.strip_prefix('"').and_then(|text| text.find('"')) {
            Some(end) => end + 2,
            None => 0,
        };
        let Some(comma) = rest[text_end..].find(", ") else { break };
        found.push(&rest[..text_end + comma]);
        rest = &rest[text_end + comma + 2..];
    }
    found.push(rest);
    found
}

/// The path of a descriptor: `5<\x2f\x73>`.
fn path_of(descriptor: &str) -> String {
    let path = descriptor.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    path.map(|(path, _)| String::from_utf8_lossy(&hex(path)).into_owned()).unwrap_or_default()
}

/// A text in which every byte is written as hex: `"\x61\x63"`.
fn bytes_of(text: &str) -> Vec<u8> {
    hex(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default())
}

/// Bytes written as `\x61`.
fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hex digit") as u8;
    text.as_bytes().chunks_exact(4).map(|byte| digit(byte[2]) << 4 | digit(byte[3])).collect()
}
