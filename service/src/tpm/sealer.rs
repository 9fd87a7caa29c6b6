//! The `Sealer` of the domain, done by the worker.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenvault_core::Secret;
use tokenvault_core::port::{
    Counted, Counter, CounterPlace, CounterStep, SealError, SealedBlob, Sealer, SecretMemory, SecretMemoryExhausted,
    TpmStatus,
};
use tokenvault_tpm::{MAX_MESSAGE, Operation, Request, Response, SECRET_LEN, WireError};

use super::process::Worker;

/// How long an operation may take: that it took longer is told within ten seconds. A slow chip needs 1.5 s; the worker waits up
/// to 5 s for a busy one.
pub const DEADLINE: Duration = Duration::from_secs(8);

/// Seals by starting a worker for every operation. Blocks for at most the deadline.
pub struct WorkerSealer {
    worker: PathBuf,
    tcti: String,
    deadline: Duration,
    memory: Arc<dyn SecretMemory>,
}

impl WorkerSealer {
    /// Uses the program `worker` on the TPM `tcti` ([`tokenvault_tpm::Tcti`] says which texts name one). Secrets lie in
    /// `memory`.
    pub fn new(worker: impl Into<PathBuf>, tcti: impl Into<String>, memory: Arc<dyn SecretMemory>) -> Self {
        Self { worker: worker.into(), tcti: tcti.into(), deadline: DEADLINE, memory }
    }

    /// The same with another deadline than [`DEADLINE`].
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Asks one question. `take` gets the answer while it lies in secret memory; `None` from it means that this is no
    /// answer to the question.
    fn ask<T>(
        &self,
        operation: Operation<'_>,
        take: impl FnOnce(Response<'_>) -> Option<Result<T, SealError>>,
    ) -> Result<T, SealError> {
        let deadline = Instant::now() + self.deadline;
        let mut buffer = Secret::zeroed(&*self.memory, MAX_MESSAGE).map_err(no_memory)?;
        let request = Request { tcti: &self.tcti, operation };
        let len = request.encode(buffer.expose_mut()).map_err(|error| unsendable(&request, error))?;
        let body = Worker::start(&self.worker, deadline)?.exchange(buffer.expose_mut(), len)?;
        match Response::decode(body) {
            Ok(Response::Failed(error)) => Err(error),
            Ok(response) => take(response).unwrap_or_else(|| Err(malformed("it answered another question"))),
            Err(error) => Err(malformed(&error.to_string())),
        }
    }
}

impl Sealer for WorkerSealer {
    fn seal(&self, secret: &Secret) -> Result<SealedBlob, SealError> {
        let secret: &[u8; SECRET_LEN] = secret
            .expose()
            .try_into()
            .map_err(|_| SealError::Failed(format!("only secrets of {SECRET_LEN} bytes are sealed")))?;
        self.ask(Operation::Seal { secret, pcrs: &[] }, |response| match response {
            Response::Sealed(blob) => Some(Ok(blob)),
            _ => None,
        })
    }

    fn unseal(&self, blob: &SealedBlob) -> Result<Secret, SealError> {
        self.ask(Operation::Unseal(blob.clone()), |response| match response {
            Response::Unsealed(secret) => Some(Secret::copy_from(&*self.memory, secret).map_err(no_memory)),
            _ => None,
        })
    }

    fn status(&self) -> Result<TpmStatus, SealError> {
        self.ask(Operation::Status, |response| match response {
            Response::Status(status) => Some(Ok(status)),
            _ => None,
        })
    }
}

impl Counter for WorkerSealer {
    fn count(&self, place: &CounterPlace, step: CounterStep) -> Result<Counted, SealError> {
        let auth = place.auth.expose().try_into();
        let auth = auth.map_err(|_| SealError::Failed(format!("a counter's secret has {SECRET_LEN} bytes")))?;
        let root_key_name = &place.root_key_name;
        self.ask(Operation::Count { index: place.index, root_key_name, auth, step }, |response| match response {
            Response::Counted(counted) => Some(Ok(counted)),
            _ => None,
        })
    }
}

/// A blob that cannot be sent is none that we made; anything else that cannot be is the name of the TPM.
fn unsendable(request: &Request<'_>, error: WireError) -> SealError {
    match request.operation {
        Operation::Unseal(_) => SealError::DamagedBlob,
        _ => SealError::Failed(format!("the TPM worker cannot be asked: {error}; check 'tcti' in [tpm]")),
    }
}

fn malformed(why: &str) -> SealError {
    SealError::Failed(format!("the TPM worker's answer is malformed: {why}"))
}

fn no_memory(error: SecretMemoryExhausted) -> SealError {
    SealError::Failed(format!("{error}; retry"))
}
