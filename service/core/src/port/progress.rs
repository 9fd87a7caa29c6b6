//! Long work, as those who wait for it see it.

/// Somebody does not want the work any more, or the daemon stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was cancelled")]
pub struct Cancelled;

/// Is told how far work has come.
pub trait Progress: Send + Sync {
    /// `done` of `total` steps are done; what a step is, the work says.
    ///
    /// # Errors
    /// [`Cancelled`] when the work is to end here.
    fn report(&self, done: u64, total: u64) -> Result<(), Cancelled>;
}
