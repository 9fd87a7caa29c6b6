//! Where a value comes from that is never in memory as a whole.

use tokenvault_core::Secret;

/// The parts of a value, one after the other.
pub trait Chunks: Send + 'static {
    /// The next part; `None` when it cannot be had. Blocks. Who asked for it finds an end before the value's size then.
    fn next(&mut self) -> Option<Next>;
}

/// What comes next.
pub enum Next {
    /// A part.
    Part(Secret),
    /// The end of the value.
    End,
}

/// What a pipe is still to be given.
pub(super) struct Rest {
    /// What lies in memory.
    pub(super) now: Secret,
    /// What comes after it.
    pub(super) then: Option<Box<dyn Chunks>>,
}
