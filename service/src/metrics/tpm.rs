//! What the TPM was asked.

use std::time::Duration;

use tokenvault_core::port::SealError;
use tokenvault_core::vault::tpm_error_name;

use super::openmetrics::Text;
use super::tally::Tally;

/// How an operation of the TPM ends, by the words of the interface.
const OUTCOMES: [&str; 8] =
    ["ok", "NoTpm", "WrongTpm", "PolicyMismatch", "TpmLockout", "DamagedSlot", "Timeout", "Failed"];

/// What it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TpmOperation {
    /// To seal a key.
    Seal,
    /// To unseal one.
    Unseal,
    /// About itself.
    Status,
    /// For a counter, or to raise it.
    Count,
}

impl TpmOperation {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Seal, "seal"), (Self::Unseal, "unseal"), (Self::Status, "status"), (Self::Count, "count")];
}

/// How often it was asked, and how long it took to answer.
#[derive(Default)]
pub struct TpmMetrics {
    operations: [Tally<{ OUTCOMES.len() }>; TpmOperation::ALL.len()],
}

impl TpmMetrics {
    /// Counts an answer.
    pub fn count(&self, operation: TpmOperation, failed: Option<&SealError>, took: Duration) {
        let word = failed.map_or("ok", tpm_error_name);
        let outcome = OUTCOMES.iter().position(|outcome| *outcome == word).unwrap_or(OUTCOMES.len() - 1);
        for ((known, _), tally) in TpmOperation::ALL.iter().zip(&self.operations) {
            if *known == operation {
                tally.count(outcome, took);
            }
        }
    }

    /// Writes everything.
    pub(super) fn write(&self, text: &mut Text) {
        let mut answers = text.counter("tokenvault_tpm_operations", "Operations of the TPM, by outcome.");
        for ((_, name), tally) in TpmOperation::ALL.iter().zip(&self.operations) {
            for (outcome, count) in OUTCOMES.iter().zip(tally.outcomes()) {
                if count > 0 || *outcome == "ok" {
                    answers.sample(&[("operation", name), ("outcome", outcome)], count);
                }
            }
        }
        let mut times = text.seconds("tokenvault_tpm_duration_seconds", "Time that operations of the TPM took.");
        for ((_, name), tally) in TpmOperation::ALL.iter().zip(&self.operations) {
            if let Some(buckets) = tally.times() {
                times.histogram(&[("operation", name)], &buckets);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_is_counted_by_its_own_word() {
        let metrics = TpmMetrics::default();
        let failures = [
            SealError::NoTpm("x".into()),
            SealError::WrongTpm,
            SealError::PolicyMismatch,
            SealError::Lockout,
            SealError::DamagedBlob,
            SealError::Timeout,
            SealError::Failed("x".into()),
        ];
        for failure in &failures {
            metrics.count(TpmOperation::Unseal, Some(failure), Duration::from_millis(1));
        }
        metrics.count(TpmOperation::Unseal, None, Duration::from_millis(1));
        let mut text = Text::default();
        metrics.write(&mut text);
        let text = text.end();
        for outcome in OUTCOMES {
            let sample = format!("tokenvault_tpm_operations_total{{operation=\"unseal\",outcome=\"{outcome}\"}} 1\n");
            assert!(text.contains(&sample), "{outcome}: {text}");
        }
        assert!(text.contains("outcome=\"ok\"} 0\n"), "of the others it is said that there were none");
    }
}
