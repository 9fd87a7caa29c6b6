//! What was measured, row by row, and the file it goes into.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use tokenvault_tests::program;

use crate::rounds::Median;

/// What a row is held to.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less.
    AtLeast(f64),
    /// Told, not judged.
    None,
}

/// A figure with its unit.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Figure {
    /// The number.
    pub value: f64,
    /// `us`, `ms`, `MiB`, `/s`, or nothing.
    pub unit: &'static str,
}

/// One row of the table.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What is measured.
    pub what: String,
    /// The vault's figure.
    pub ours: Option<Figure>,
    /// What it is held against, with its name.
    pub reference: Option<(String, Figure)>,
    /// The number the bound is about.
    pub judged: Option<f64>,
    /// The bound.
    pub bound: Bound,
    /// A raised limit, or why there is no figure.
    pub note: String,
}

/// Everything a run found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this form.
    schema: &'static str,
    /// The machine.
    pub machine: BTreeMap<&'static str, String>,
    /// The judged rows.
    pub rows: Vec<Row>,
    /// Medians of every scenario, in the order they were measured.
    pub scenarios: Vec<(String, Median)>,
    /// Groups that could not be measured.
    pub broken: Vec<String>,
}

impl Report {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            schema: "tokenvault-bench/1",
            machine: machine(),
            rows: Vec::new(),
            scenarios: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// A scenario's medians.
    pub fn measured(&mut self, name: &str, median: Median) {
        self.scenarios.push((name.to_owned(), median));
    }

    /// A row.
    pub fn row(&mut self, row: Row) {
        eprintln!("bench:        {}", crate::table::one_line(&row));
        self.rows.push(row);
    }

    /// A group that could not be measured.
    pub fn broken(&mut self, group: &str) {
        self.broken.push(group.to_owned());
    }

    /// Whether every group could be measured.
    pub fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }

    /// Writes `target/bench/targets.json`.
    pub fn write(&self) {
        let directory = directory();
        std::fs::create_dir_all(&directory).expect("a directory for the figures");
        let file = directory.join("targets.json");
        let text = serde_json::to_string_pretty(self).expect("figures are plain");
        std::fs::write(&file, text + "\n").expect("writing the figures");
        eprintln!("bench: all figures are in {}", file.display());
    }
}

impl Row {
    /// A row without figures.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), ours: None, reference: None, judged: None, bound: Bound::None, note: String::new() }
    }

    /// Our figure; judged by itself when nothing else is.
    pub fn ours(mut self, value: f64, unit: &'static str) -> Self {
        self.ours = Some(Figure { value, unit });
        self.judged = Some(value);
        self
    }

    /// Judges ours as a multiple of this one.
    pub fn over(mut self, name: &str, value: f64) -> Self {
        let ours = self.ours.expect("our figure comes first");
        self.reference = Some((name.to_owned(), Figure { value, unit: ours.unit }));
        self.judged = Some(ours.value / value);
        self
    }

    /// Judges this one as a multiple of ours: how much faster we are.
    pub fn faster_than(mut self, name: &str, value: f64) -> Self {
        self = self.over(name, value);
        self.judged = self.judged.map(|ratio| 1.0 / ratio);
        self
    }

    /// The bound.
    pub fn bound(mut self, bound: Bound) -> Self {
        self.bound = bound;
        self
    }

    /// A remark.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Whether it holds; `None` when there is nothing to judge.
    pub fn is_met(&self) -> Option<bool> {
        let judged = self.judged?;
        match self.bound {
            Bound::AtMost(most) => Some(judged <= most),
            Bound::AtLeast(least) => Some(judged >= least),
            Bound::None => None,
        }
    }
}

/// `target/bench`.
fn directory() -> PathBuf {
    program::source_root().join("target/bench")
}

fn machine() -> BTreeMap<&'static str, String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let line = |text: String, key: &str| {
        let found = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        found.split_once([':', '=']).map(|(_, value)| value.trim().trim_matches('"').to_owned()).unwrap_or_default()
    };
    BTreeMap::from([
        ("processor", line(read("/proc/cpuinfo"), "model name")),
        ("processors", std::thread::available_parallelism().map_or(1, usize::from).to_string()),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("system", line(read("/etc/os-release"), "PRETTY_NAME")),
        ("load-before", read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned()),
    ])
}
