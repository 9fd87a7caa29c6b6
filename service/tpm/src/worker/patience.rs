//! Trying again what the TPM asks to be tried again.

use std::time::{Duration, Instant};

use super::fault::{Fault, Retry};

/// Longest time spent on waiting: half the daemon's deadline.
const PATIENCE: Duration = Duration::from_secs(5);

/// First pause; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Tries after PCRs changed between the policy and its use.
const MOVED_PCRS: u32 = 3;

/// Runs `attempt` until it succeeds, fails for good, or patience ends. Each attempt starts over: all are idempotent.
pub fn retrying<T>(mut attempt: impl FnMut() -> Result<T, Fault>, mut pause: impl FnMut(Duration)) -> Result<T, Fault> {
    let started = Instant::now();
    let (mut waited, mut next, mut moved) = (Duration::ZERO, FIRST_PAUSE, 0);
    loop {
        let fault = match attempt() {
            Ok(value) => return Ok(value),
            Err(fault) => fault,
        };
        match fault.retry() {
            Retry::AtOnce if moved < MOVED_PCRS => moved += 1,
            Retry::Later if waited.max(started.elapsed()) + next <= PATIENCE => {
                pause(next);
                waited += next;
                next *= 2;
            }
            _ => return Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts_on(code: u32) -> (u32, Duration) {
        let (mut attempts, mut waited) = (0, Duration::ZERO);
        let result: Result<(), _> = retrying(
            || {
                attempts += 1;
                Err(Fault::from_code("TPM2_Unseal", code))
            },
            |pause| waited += pause,
        );
        assert!(result.is_err());
        (attempts, waited)
    }

    #[test]
    fn a_busy_tpm_is_asked_again_for_five_seconds_at_most() {
        for busy in [0x908, 0x90a, 0x920, 0x922] {
            let (attempts, waited) = attempts_on(busy);
            assert!(attempts > 3, "0x{busy:x} was tried {attempts} times");
            assert!(waited <= PATIENCE);
        }
    }

    #[test]
    fn moved_pcrs_are_tried_three_times_more_without_waiting() {
        assert_eq!(attempts_on(0x128), (4, Duration::ZERO));
    }

    #[test]
    fn everything_else_is_final() {
        for fatal in [0x921, 0x1df, 0x99d, 0x101, 0xa000a] {
            assert_eq!(attempts_on(fatal), (1, Duration::ZERO), "0x{fatal:x}");
        }
    }

    #[test]
    fn the_first_success_ends_it() {
        let mut left = 2;
        let result = retrying(
            || {
                left -= 1;
                if left > 0 { Err(Fault::from_code("TPM2_Load", 0x922)) } else { Ok(left) }
            },
            |_| {},
        );
        assert!(matches!(result, Ok(0)));
    }
}
