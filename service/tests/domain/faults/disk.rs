//! A disk that keeps only what it was told to: of everything written since, a power cut leaves any part.

use std::collections::BTreeMap;

use super::trace::Step;
use crate::fixture::Random;

/// What is written at one time is torn between these.
const SECTOR: usize = 512;
/// Nothing of it has to survive: the database's index of its log, made anew by whoever comes first, and the mark of who is there.
const FLEETING: [&str; 2] = ["-shm", ".lock"];

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
    Allocate(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, written) => {
                let end = at + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(written);
            }
            Self::Resize(len) => bytes.resize(*len, 0),
            Self::Allocate(len) => bytes.resize(bytes.len().max(*len), 0),
        }
    }

    /// A part of it, where it has parts.
    fn torn(&self, random: &mut Random) -> Self {
        let Self::Write(at, written) = self else { return self.clone() };
        let sectors = written.len().div_ceil(SECTOR) as u64;
        let cut = (usize::try_from(random.below(sectors + 1)).unwrap() * SECTOR).min(written.len());
        if random.once_in(2) {
            return Self::Write(*at, written[..cut].to_vec());
        }
        Self::Write(at + cut, written[cut..].to_vec())
    }
}

#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Naming {
    Is(String, usize),
    Gone(String),
}

type Names = BTreeMap<String, usize>;

fn name(names: &mut Names, naming: &Naming) {
    match naming {
        Naming::Is(name, file) => drop(names.insert(name.clone(), *file)),
        Naming::Gone(name) => drop(names.remove(name)),
    }
}

/// A directory on it.
#[derive(Debug, Default)]
pub struct Disk {
    files: Vec<File>,
    /// As the process sees them.
    names: Names,
    durable: Names,
    pending: Vec<Vec<Naming>>,
}

impl Disk {
    /// Does what was done.
    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Create(file) if !self.names.contains_key(file) => {
                self.files.push(File::default());
                self.call(vec![Naming::Is(file.clone(), self.files.len() - 1)]);
            }
            Step::Create(_) | Step::Told(_) => {}
            Step::Write { file, at, bytes } => self.change(file, Change::Write(*at, bytes.clone())),
            Step::Resize { file, len } => self.change(file, Change::Resize(*len)),
            Step::Allocate { file, len } => self.change(file, Change::Allocate(*len)),
            Step::Sync(file) => {
                let Some(number) = self.names.get(file) else { return };
                let File { durable, pending } = &mut self.files[*number];
                pending.drain(..).for_each(|change| change.apply(durable));
            }
            Step::SyncDirectory => {
                for namings in self.pending.drain(..) {
                    namings.iter().for_each(|naming| name(&mut self.durable, naming));
                }
            }
            Step::Rename(from, to) => {
                let Some(number) = self.names.get(from).copied() else { return };
                self.call(vec![Naming::Gone(from.clone()), Naming::Is(to.clone(), number)]);
            }
            Step::Link(from, to) => {
                let Some(number) = self.names.get(from).copied() else { return };
                self.call(vec![Naming::Is(to.clone(), number)]);
            }
            Step::Remove(file) => self.call(vec![Naming::Gone(file.clone())]),
        }
    }

    fn call(&mut self, namings: Vec<Naming>) {
        namings.iter().for_each(|naming| name(&mut self.names, naming));
        self.pending.push(namings);
    }

    fn change(&mut self, file: &str, change: Change) {
        // What has no name any more is nobody's concern.
        if let Some(number) = self.names.get(file) {
            self.files[*number].pending.push(change);
        }
    }

    /// What a kill leaves now: all that was written.
    pub fn killed(&self) -> BTreeMap<String, Vec<u8>> {
        let mut names = self.names.clone();
        names.retain(|name, _| is_lasting(name));
        names.into_iter().map(|(name, number)| (name, self.files[number].whole())).collect()
    }

    /// What a power cut leaves now: of the names a beginning of what was done to them, of the rest all, nothing, or any part.
    pub fn cut(&self, random: &mut Random) -> BTreeMap<String, Vec<u8>> {
        let mut names = self.durable.clone();
        let kept = usize::try_from(random.below(self.pending.len() as u64 + 1)).unwrap();
        self.pending[..kept].iter().flatten().for_each(|naming| name(&mut names, naming));
        names.retain(|name, _| is_lasting(name));
        names.into_iter().map(|(name, number)| (name, self.files[number].cut(random))).collect()
    }
}

fn is_lasting(name: &str) -> bool {
    !FLEETING.iter().any(|end| name.ends_with(end))
}

impl File {
    fn whole(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        self.pending.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    }

    fn cut(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let mode = random.below(4);
        for change in &self.pending {
            let fate = match mode {
                0 => 0,
                1 => 1,
                _ => random.below(3),
            };
            match fate {
                0 => change.apply(&mut bytes),
                1 => {}
                _ => change.torn(random).apply(&mut bytes),
            }
        }
        bytes
    }
}
