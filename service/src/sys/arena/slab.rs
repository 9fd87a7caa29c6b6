//! Book-keeping of the arena: which bytes of which chunk are in use. No memory is touched here.

use std::ptr::NonNull;

use super::mapping::Mapping;
use super::{ArenaStatus, CHUNK};

/// Smallest block; a cache line, so that neighbours do not share one.
const SMALLEST: usize = 64;

/// Number of size classes: 64 bytes to 128 KiB, each twice the one before.
const CLASSES: usize = 12;

/// Largest block that lies in a chunk; more gets a mapping of its own.
const LARGEST: usize = SMALLEST << (CLASSES - 1);

/// Empty chunks kept for the next burst instead of being given back.
const SPARE_CHUNKS: usize = 4;

/// Where a block lies, needed to give it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    chunk: usize,
    block: usize,
}

/// A mapping cut into blocks of one class.
struct Chunk {
    mapping: Mapping,
    class: usize,
    /// Blocks given back, to be used again.
    free: Vec<usize>,
    /// Blocks at and beyond this number were never used.
    fresh: usize,
    used: usize,
}

impl Chunk {
    fn new(mapping: Mapping, class: usize) -> Self {
        Self { mapping, class, free: Vec::new(), fresh: 0, used: 0 }
    }

    fn block_len(&self) -> usize {
        // Past the classes stands the one block of a mapping of its own.
        if self.class < CLASSES { SMALLEST << self.class } else { self.mapping.len() }
    }

    fn is_full(&self) -> bool {
        self.free.is_empty() && self.fresh >= self.mapping.len() / self.block_len()
    }

    fn take(&mut self) -> usize {
        self.used += 1;
        self.free.pop().unwrap_or_else(|| {
            self.fresh += 1;
            self.fresh - 1
        })
    }
}

/// All chunks of an arena.
#[derive(Default)]
pub(super) struct Slab {
    chunks: Vec<Option<Chunk>>,
    vacant: Vec<usize>,
    /// For each class, the chunks that have a free block.
    open: [Vec<usize>; CLASSES],
    spare: Vec<Mapping>,
    mapped: usize,
    unlocked: usize,
    lock_error: Option<String>,
}

impl Slab {
    /// A block of at least `len` bytes, or `None` when `cap` bytes are mapped or the kernel has no more.
    pub(super) fn take(&mut self, len: usize, cap: usize) -> Option<(NonNull<u8>, Place)> {
        let class = class_of(len);
        let number = match self.open.get(class).and_then(|open| open.last()) {
            Some(number) => *number,
            None => self.grow(class, len, cap)?,
        };
        let chunk = self.chunks.get_mut(number)?.as_mut()?;
        let block = chunk.take();
        let offset = block * chunk.block_len();
        let start = chunk.mapping.start().as_ptr().wrapping_add(offset);
        if chunk.is_full()
            && let Some(open) = self.open.get_mut(class)
        {
            open.retain(|open| *open != number);
        }
        Some((NonNull::new(start)?, Place { chunk: number, block }))
    }

    /// Takes a wiped block back. A mapping that must be undone is returned, to be dropped outside the lock.
    pub(super) fn give_back(&mut self, place: Place) -> Option<Mapping> {
        let chunk = self.chunks.get_mut(place.chunk)?.as_mut()?;
        let was_full = chunk.is_full();
        chunk.free.push(place.block);
        chunk.used -= 1;
        let (class, empty) = (chunk.class, chunk.used == 0);
        let Some(open) = self.open.get_mut(class) else { return self.retire(place.chunk) };
        if was_full {
            open.push(place.chunk);
        }
        // The last chunk of a class stays cut, or a single value coming and going would cut it anew each time.
        if empty && open.len() > 1 {
            open.retain(|open| *open != place.chunk);
            return self.retire(place.chunk);
        }
        None
    }

    fn grow(&mut self, class: usize, len: usize, cap: usize) -> Option<usize> {
        let size = if class < CLASSES { CHUNK } else { len.checked_next_multiple_of(CHUNK)? };
        let mapping = match self.spare.pop() {
            Some(mapping) if size == CHUNK => mapping,
            other => {
                self.spare.extend(other);
                self.map(size, cap)?
            }
        };
        let number = self.vacant.pop().unwrap_or_else(|| {
            self.chunks.push(None);
            self.chunks.len() - 1
        });
        *self.chunks.get_mut(number)? = Some(Chunk::new(mapping, class));
        if let Some(open) = self.open.get_mut(class) {
            open.push(number);
        }
        Some(number)
    }

    fn map(&mut self, size: usize, cap: usize) -> Option<Mapping> {
        if self.mapped.checked_add(size)? > cap {
            return None;
        }
        let mapping = Mapping::new(size).ok()?;
        self.mapped += size;
        if let Some(error) = mapping.lock_error() {
            self.unlocked += size;
            self.lock_error = Some(error.to_string());
        }
        Some(mapping)
    }

    fn retire(&mut self, number: usize) -> Option<Mapping> {
        let mapping = self.chunks.get_mut(number)?.take()?.mapping;
        self.vacant.push(number);
        if mapping.len() == CHUNK && self.spare.len() < SPARE_CHUNKS {
            self.spare.push(mapping);
            return None;
        }
        self.mapped -= mapping.len();
        if mapping.lock_error().is_some() {
            self.unlocked -= mapping.len();
        }
        Some(mapping)
    }

    /// What is in use.
    pub(super) fn status(&self, cap: usize) -> ArenaStatus {
        ArenaStatus {
            cap,
            mapped: self.mapped,
            used: self.chunks.iter().flatten().map(|chunk| chunk.used * chunk.block_len()).sum(),
            unlocked: self.unlocked,
            lock_error: self.lock_error.clone(),
        }
    }
}

/// The class whose blocks hold `len` bytes; [`CLASSES`] when none does.
fn class_of(len: usize) -> usize {
    if len > LARGEST {
        return CLASSES;
    }
    let blocks = len.max(1).div_ceil(SMALLEST).next_power_of_two();
    blocks.trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_what_is_put_into_it() {
        for (len, class) in [(0, 0), (1, 0), (64, 0), (65, 1), (128, 1), (4096, 6), (65_537, 11), (LARGEST, 11)] {
            assert_eq!(class_of(len), class, "{len}");
        }
        assert_eq!(class_of(LARGEST + 1), CLASSES);
    }

    #[test]
    fn emptied_chunks_are_given_back_but_for_a_few() {
        let mut slab = Slab::default();
        let cap = 64 * CHUNK;
        let places: Vec<Place> = (0..128).map(|_| slab.take(LARGEST, cap).unwrap().1).collect();
        assert_eq!(slab.status(cap).mapped, 64 * CHUNK);
        assert!(slab.take(1, cap).is_none());
        for place in places {
            drop(slab.give_back(place));
        }
        assert_eq!(slab.status(cap).used, 0);
        assert_eq!(slab.status(cap).mapped, (SPARE_CHUNKS + 1) * CHUNK);
    }
}
