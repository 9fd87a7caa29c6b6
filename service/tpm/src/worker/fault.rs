//! What went wrong, decoded here: the library's own names are wrong for codes of the layers above the TPM.

use tokenvault_core::port::SealError;
use tokenvault_tpm::Tcti;
use tss_esapi::Error;
use tss_esapi::constants::response_code::Tss2ResponseCode;

use super::chip;

/// TPM 2.0 Library, Part 2, "TPM_RC".
const NV_RATE: u32 = 0x920;
const LOCKOUT: u32 = 0x921;
const RETRY: u32 = 0x922;
const YIELDED: u32 = 0x908;
const TESTING: u32 = 0x90a;
const PCR_CHANGED: u32 = 0x128;
const NV_DEFINED: u32 = 0x14c;
const HANDLE: u32 = 0x08b;
const POLICY_FAIL: u32 = 0x09d;
const AUTH_FAIL: u32 = 0x08e;
const BAD_AUTH: u32 = 0x0a2;

/// Format-one codes say which handle, session or parameter they are about.
const FORMAT_ONE: u32 = 0x080;
const FORMAT_ONE_ERROR: u32 = 0x0bf;
const FORMAT_ONE_PARAMETER: u32 = 0x040;

/// TSS 2.0 Overview, "Response codes": the layer stands above bit 16.
const LAYER_TPM: u32 = 0;
const LAYER_TCTI: u32 = 10;
const LAYER_RESOURCE_MANAGER_TPM: u32 = 12;

/// Why an attempt failed.
#[derive(Debug)]
pub enum Fault {
    /// Known for what it is.
    Known(SealError),
    /// A response code of the TPM or of a layer between it and us.
    Code {
        /// The command it answered.
        step: &'static str,
        /// Layer and code.
        code: u32,
    },
    /// The library refused what we, or the TPM, gave it.
    Library {
        /// The command it was for.
        step: &'static str,
        /// The library's words.
        text: String,
    },
}

/// Whether another attempt makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No.
    Never,
    /// At once: the ground moved under us.
    AtOnce,
    /// After a pause: the TPM is busy.
    Later,
}

/// For `map_err`: says at which command it happened.
pub fn at(step: &'static str) -> impl Fn(Error) -> Fault {
    move |error| match error {
        Error::Tss2Error(Tss2ResponseCode::FormatZero(code)) => Fault::Code { step, code: code.0 },
        Error::Tss2Error(Tss2ResponseCode::FormatOne(code)) => Fault::Code { step, code: code.0 },
        Error::Tss2Error(Tss2ResponseCode::Success) | Error::WrapperError(_) => {
            Fault::Library { step, text: error.to_string() }
        }
    }
}

impl From<SealError> for Fault {
    fn from(error: SealError) -> Self {
        Self::Known(error)
    }
}

impl Fault {
    /// A response code as such.
    #[cfg(test)]
    pub fn from_code(step: &'static str, code: u32) -> Self {
        Self::Code { step, code }
    }

    /// The code, when it is the TPM's own.
    fn tpm_code(&self) -> Option<u32> {
        match self {
            Self::Code { code, .. } if matches!(code >> 16, LAYER_TPM | LAYER_RESOURCE_MANAGER_TPM) => {
                Some(code & 0xffff)
            }
            _ => None,
        }
    }

    /// The TPM's own format-one error, without what it is about.
    fn format_one(&self) -> Option<u32> {
        self.tpm_code().filter(|code| code & FORMAT_ONE != 0).map(|code| code & FORMAT_ONE_ERROR)
    }

    /// Nothing is kept under the handle.
    pub fn is_missing_handle(&self) -> bool {
        self.format_one() == Some(HANDLE)
    }

    /// Something is kept under the handle already.
    pub fn is_taken_handle(&self) -> bool {
        self.tpm_code() == Some(NV_DEFINED)
    }

    /// What was given to authorise it does not.
    pub fn is_refused_auth(&self) -> bool {
        matches!(self.format_one(), Some(AUTH_FAIL | BAD_AUTH))
    }

    /// The TPM, or the library before it, found fault with the data given to a command rather than with its state.
    pub fn is_bad_parameter(&self) -> bool {
        let by_tpm =
            self.format_one().is_some() && self.tpm_code().is_some_and(|code| code & FORMAT_ONE_PARAMETER != 0);
        by_tpm || matches!(self, Self::Library { .. })
    }

    /// Whether another attempt makes sense.
    pub fn retry(&self) -> Retry {
        match self.tpm_code() {
            Some(NV_RATE | RETRY | YIELDED | TESTING) => Retry::Later,
            Some(PCR_CHANGED) => Retry::AtOnce,
            _ => Retry::Never,
        }
    }

    /// What the daemon is told.
    pub fn into_seal_error(self, tcti: &Tcti) -> SealError {
        let tpm_code = self.tpm_code();
        let format_one = self.format_one();
        match self {
            Self::Known(error) => error,
            Self::Code { .. } if tpm_code == Some(LOCKOUT) => SealError::Lockout,
            Self::Code { .. } if format_one == Some(POLICY_FAIL) => SealError::PolicyMismatch,
            Self::Code { code, .. } if code >> 16 == LAYER_TCTI => SealError::NoTpm(chip::why_silent(tcti, code)),
            Self::Code { step, code } => {
                SealError::Failed(format!("{step}: response code 0x{code:x}{}", hint(tpm_code)))
            }
            Self::Library { step, text } => SealError::Failed(format!("{step}: {text}")),
        }
    }
}

/// What to do about codes that an administrator can do something about.
fn hint(tpm_code: Option<u32>) -> &'static str {
    match tpm_code {
        Some(0x100) => " (the firmware has not started the TPM: reboot)",
        Some(0x101) => " (the TPM failed its self-test: power the machine off and on; if it stays, the TPM is broken)",
        Some(0x902 | 0x903) => " (the TPM's memory is in use by other programs: use 'device:/dev/tpmrm0')",
        Some(0x14b) => " (the TPM has no room for another NV index: remove one with 'tpm2_nvundefine')",
        Some(NV_RATE | RETRY | YIELDED | TESTING) => " (the TPM stays busy: try again later)",
        Some(0x9a2 | 0x98e) => {
            " (the TPM's owner hierarchy has a password, and the vault makes its key and counter without one)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: u32) -> SealError {
        let tcti = Tcti::Device("/nonexistent/tpm".into());
        Fault::from_code("TPM2_Unseal", code).into_seal_error(&tcti)
    }

    #[test]
    fn codes_of_the_tpm_have_their_own_causes() {
        assert_eq!(told(0x921), SealError::Lockout);
        assert_eq!(told(0x000c_0921), SealError::Lockout);
        assert_eq!(told(0x99d), SealError::PolicyMismatch);
        assert_eq!(
            told(0x922),
            SealError::Failed("TPM2_Unseal: response code 0x922 (the TPM stays busy: try again later)".into())
        );
    }

    #[test]
    fn the_same_number_of_another_layer_is_another_thing() {
        // 0x7000b ends like TPM_RC_PRIVATE and is the library's "bad value".
        assert_eq!(told(0x0007_000b), SealError::Failed("TPM2_Unseal: response code 0x7000b".into()));
        assert_eq!(Fault::from_code("TPM2_Load", 0x0007_0922).retry(), Retry::Never);
        assert!(!Fault::from_code("TPM2_ReadPublic", 0x0007_018b).is_missing_handle());
    }

    #[test]
    fn a_silent_device_is_named() {
        let SealError::NoTpm(text) = told(0x000a_000a) else { panic!("not NoTpm") };
        assert!(text.contains("/nonexistent/tpm"), "{text}");
    }

    #[test]
    fn damage_is_told_from_state() {
        assert!(Fault::from_code("TPM2_Load", 0x1df).is_bad_parameter());
        assert!(Fault::from_code("TPM2_Load", 0x2d5).is_bad_parameter());
        assert!(!Fault::from_code("TPM2_Load", 0x18b).is_bad_parameter());
        assert!(!Fault::from_code("TPM2_Load", 0x902).is_bad_parameter());
    }
}
