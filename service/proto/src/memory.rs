//! Memory whose size somebody else says: asked for before it is taken, so that a program that has none left is told so and
//! goes on. `Vec::push` and its like end the program.
//!
//! What is small and of a size known beforehand is taken as everywhere in Rust. There is room for it, since [`room`] is
//! asked for before every step whose number somebody else says: a row, an entry.

use std::fmt;
use std::hint::black_box;

/// More than the small things of one step take together, the nodes of a map and what zbus needs for a moment included.
const HEADROOM: usize = 16 * 1024;

/// There is no memory left for something. Its text is empty, so that to pass it on takes none either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory;

impl fmt::Display for NoMemory {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for NoMemory {}

impl NoMemory {
    /// Whether this is what zbus has made of it. Nothing else that goes wrong has no text.
    pub fn is_in(error: &zbus::Error) -> bool {
        matches!(error, zbus::Error::Failure(text) if text.is_empty())
    }

    /// As the error of a decoder.
    pub fn of<E: serde::de::Error>(self) -> E {
        E::custom(self)
    }
}

/// Whether there is memory for the next step.
///
/// # Errors
/// There is none.
pub fn room() -> Result<(), NoMemory> {
    room_for(HEADROOM)
}

/// Whether there is memory for so many bytes.
///
/// # Errors
/// There is none.
pub fn room_for(bytes: usize) -> Result<(), NoMemory> {
    let mut probe: Vec<u8> = Vec::new();
    more(&mut probe, bytes)?;
    // Else the compiler sees that nobody uses it, and asks for none.
    black_box(&mut probe);
    Ok(())
}

/// Makes room for exactly so many more items.
///
/// # Errors
/// There is no memory for them.
pub fn exactly<T>(items: &mut Vec<T>, more: usize) -> Result<(), NoMemory> {
    items.try_reserve_exact(more).map_err(|_| NoMemory)
}

/// Makes room for at least so many more items, and for some that come later.
///
/// # Errors
/// There is no memory for them.
pub fn more<T>(items: &mut Vec<T>, more: usize) -> Result<(), NoMemory> {
    items.try_reserve(more).map_err(|_| NoMemory)
}

/// Puts one more item behind the others.
///
/// # Errors
/// There is no memory for it.
pub fn push<T>(items: &mut Vec<T>, item: T) -> Result<(), NoMemory> {
    more(items, 1)?;
    items.push(item);
    Ok(())
}

/// A copy of a text.
///
/// # Errors
/// There is no memory for it.
pub fn text(text: &str) -> Result<String, NoMemory> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len()).map_err(|_| NoMemory)?;
    copy.push_str(text);
    Ok(copy)
}

/// A copy of some bytes.
///
/// # Errors
/// There is no memory for it.
pub fn bytes(bytes: &[u8]) -> Result<Vec<u8>, NoMemory> {
    let mut copy = Vec::new();
    exactly(&mut copy, bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_memory_can_hold_is_refused() {
        assert_eq!((room(), room_for(usize::MAX / 4)), (Ok(()), Err(NoMemory)));
        assert_eq!(exactly(&mut Vec::<u64>::new(), usize::MAX / 16), Err(NoMemory));
        assert_eq!((text("père").as_deref(), bytes(b"\0a").as_deref()), (Ok("père"), Ok(&b"\0a"[..])));
    }

    #[test]
    fn it_is_found_again_in_what_zbus_makes_of_it_and_in_nothing_else() {
        assert!(NoMemory::is_in(&NoMemory.of()));
        assert!(!NoMemory::is_in(&serde::de::Error::missing_field("a")));
        assert!(!NoMemory::is_in(&zbus::Error::ExcessData));
    }
}
