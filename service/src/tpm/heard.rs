//! A TPM whose last answer is remembered, for `Health`, and whose answers are counted.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use tokenvault_core::Secret;
use tokenvault_core::port::{Counted, Counter, CounterPlace, CounterStep, SealError, SealedBlob, Sealer, TpmStatus};
use tokenvault_core::vault::tpm_error_name;

use crate::metrics::{TpmMetrics, TpmOperation};

/// What the daemon asks of a TPM.
pub trait Tpm: Sealer + Counter {}

impl<T: Sealer + Counter> Tpm for T {}

/// Hands every question on and keeps how it was answered.
#[derive(Clone)]
pub struct HeardSealer {
    tpm: Arc<dyn Tpm>,
    last: Arc<RwLock<String>>,
    metrics: Arc<TpmMetrics>,
}

impl HeardSealer {
    /// Over `tpm`, which was not asked yet.
    pub fn new(tpm: Arc<dyn Tpm>) -> Self {
        Self { tpm, last: Arc::new(RwLock::new("not asked yet".into())), metrics: Arc::default() }
    }

    /// `ok`, or what the TPM answered last: the name of the error and its text, as `Status` gives its reason.
    pub fn heard(&self) -> String {
        self.last.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was asked.
    pub fn metrics(&self) -> &TpmMetrics {
        &self.metrics
    }

    fn hear<T>(&self, operation: TpmOperation, ask: impl FnOnce() -> Result<T, SealError>) -> Result<T, SealError> {
        let begun = Instant::now();
        let answer = ask();
        self.metrics.count(operation, answer.as_ref().err(), begun.elapsed());
        let text = match &answer {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("{}: {error}", tpm_error_name(error)),
        };
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = text;
        answer
    }
}

impl Sealer for HeardSealer {
    fn seal(&self, secret: &Secret) -> Result<SealedBlob, SealError> {
        self.hear(TpmOperation::Seal, || self.tpm.seal(secret))
    }

    fn unseal(&self, blob: &SealedBlob) -> Result<Secret, SealError> {
        self.hear(TpmOperation::Unseal, || self.tpm.unseal(blob))
    }

    fn status(&self) -> Result<TpmStatus, SealError> {
        self.hear(TpmOperation::Status, || self.tpm.status())
    }
}

impl Counter for HeardSealer {
    fn count(&self, place: &CounterPlace, step: CounterStep) -> Result<Counted, SealError> {
        self.hear(TpmOperation::Count, || self.tpm.count(place, step))
    }
}
