//! What follows an error that concerns the file: go on, open it again, or stop writing.

use tokenvault_core::port::StoreError;

use crate::fault::duplicate;

/// Faults in a row after which nothing is written any more.
const FAULTS: u32 = 2;

/// What the writer remembers of its errors.
#[derive(Debug, Default)]
pub(super) struct Health {
    commits_failed: u32,
    checkpoints_failed: u32,
    refusal: Option<(StoreError, String)>,
}

impl Health {
    /// What every write is answered, once writing has stopped.
    pub(super) fn refusal(&self) -> Option<&StoreError> {
        self.refusal.as_ref().map(|(error, _)| error)
    }

    /// Why writing has stopped.
    pub(super) fn reason(&self) -> Option<&str> {
        self.refusal.as_ref().map(|(_, reason)| reason.as_str())
    }

    pub(super) fn committed(&mut self) {
        self.commits_failed = 0;
    }

    pub(super) fn checkpointed(&mut self) {
        self.checkpoints_failed = 0;
    }

    /// Takes note of a failed batch; whether the file should be opened again.
    pub(super) fn failed(&mut self, error: &StoreError) -> bool {
        self.commits_failed = self.weigh(error, self.commits_failed);
        self.commits_failed > 0 && self.refusal.is_none()
    }

    /// Takes note of a failed checkpoint; whether the file should be opened again.
    pub(super) fn checkpoint_failed(&mut self, error: &StoreError) -> bool {
        self.checkpoints_failed = self.weigh(error, self.checkpoints_failed);
        self.checkpoints_failed > 0 && self.refusal.is_none()
    }

    /// Whether writing has stopped because of damage: the file is then left as it is.
    pub(super) fn is_damaged(&self) -> bool {
        matches!(self.refusal(), Some(StoreError::Corrupt(_)))
    }

    /// Stops writing until the store is opened again. Damage outweighs every other reason.
    pub(super) fn give_up(&mut self, error: &StoreError) {
        let refusal = match error {
            StoreError::Corrupt(_) if self.is_damaged() => return,
            StoreError::Corrupt(_) => (duplicate(error), error.to_string()),
            _ if self.refusal.is_some() => return,
            _ => (StoreError::ReadOnly, format!("{error}; check the disk, then restart tokenvaultd")),
        };
        self.refusal = Some(refusal);
    }

    fn weigh(&mut self, error: &StoreError, before: u32) -> u32 {
        match error {
            StoreError::Corrupt(_) | StoreError::ReadOnly => {
                self.give_up(error);
                before
            }
            StoreError::Io(_) if before + 1 >= FAULTS => {
                self.give_up(error);
                before + 1
            }
            StoreError::Io(_) => before + 1,
            _ => before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io() -> StoreError {
        StoreError::Io("disk I/O error".into())
    }

    #[test]
    fn one_fault_opens_again_and_the_second_in_a_row_stops_writing() {
        let mut health = Health::default();
        assert!(health.failed(&io()));
        assert!(health.refusal().is_none());
        assert!(!health.failed(&io()));
        assert!(matches!(health.refusal(), Some(StoreError::ReadOnly)));
        assert!(health.reason().unwrap().starts_with("store I/O: disk I/O error; check the disk"));
    }

    #[test]
    fn a_commit_between_two_faults_forgives_the_first() {
        let mut health = Health::default();
        health.failed(&io());
        health.committed();
        assert!(health.failed(&io()));
        assert!(health.refusal().is_none());
    }

    #[test]
    fn commits_that_work_do_not_hide_checkpoints_that_fail() {
        let mut health = Health::default();
        assert!(health.checkpoint_failed(&io()));
        health.committed();
        assert!(!health.checkpoint_failed(&io()));
        assert!(health.refusal().is_some());
    }

    #[test]
    fn damage_stops_writing_at_once_and_is_named() {
        let mut health = Health::default();
        assert!(!health.failed(&StoreError::Corrupt("page 7".into())));
        assert!(matches!(health.refusal(), Some(StoreError::Corrupt(text)) if text == "page 7"));
    }

    #[test]
    fn damage_outweighs_a_read_only_disk_and_is_not_replaced() {
        let mut health = Health::default();
        health.give_up(&StoreError::ReadOnly);
        health.give_up(&StoreError::Corrupt("page 7".into()));
        health.give_up(&StoreError::Corrupt("page 8".into()));
        health.give_up(&StoreError::ReadOnly);
        assert!(matches!(health.refusal(), Some(StoreError::Corrupt(text)) if text == "page 7"));
    }
}
