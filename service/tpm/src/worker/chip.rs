//! A connection to the TPM, and the sessions on it.

use std::fs::File;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::str::FromStr;

use tokenvault_core::port::SealError;
use tokenvault_tpm::Tcti;
use tss_esapi::attributes::SessionAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::handles::{KeyHandle, SessionHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::SymmetricDefinition;
use tss_esapi::tcti_ldr::TctiNameConf;
use tss_esapi::{Context, Error, WrapperErrorKind};

use super::fault::{Fault, at};

/// One connection. Dropping it flushes every session and transient object made on it.
pub struct Chip {
    /// The library's context.
    pub context: Context,
}

impl Chip {
    /// Connects. Whatever fails here means that nothing answers.
    pub fn open(tcti: &Tcti) -> Result<Self, Fault> {
        let name = TctiNameConf::from_str(&tcti.to_string()).map_err(at("connecting"))?;
        let context = Context::new(name).map_err(|error| match at("connecting")(error) {
            Fault::Code { code, .. } => Fault::Known(SealError::NoTpm(why_silent(tcti, code))),
            other => other,
        })?;
        Ok(Self { context })
    }

    /// A session salted to the root key, so that only the holder of its private part can read what moves under it.
    pub fn salted_session(&mut self, root: KeyHandle, kind: SessionType) -> Result<AuthSession, Fault> {
        const STEP: &str = "TPM2_StartAuthSession";
        let session = self.context.start_auth_session(
            Some(root),
            None,
            None,
            kind,
            SymmetricDefinition::AES_128_CFB,
            HashingAlgorithm::Sha256,
        );
        session.map_err(at(STEP))?.ok_or_else(|| at(STEP)(Error::WrapperError(WrapperErrorKind::WrongValueFromTpm)))
    }

    /// A salted session that encrypts the first parameter both ways. For commands that have one; others refuse it.
    pub fn encrypting_session(&mut self, root: KeyHandle) -> Result<AuthSession, Fault> {
        let session = self.salted_session(root, SessionType::Hmac)?;
        let (attributes, mask) =
            SessionAttributesBuilder::new().with_continue_session(true).with_decrypt(true).with_encrypt(true).build();
        self.context.tr_sess_set_attributes(session, attributes, mask).map_err(at("setting up a session"))?;
        Ok(session)
    }

    /// Ends a session early: a TPM without resource manager holds only a few.
    pub fn flush_session(&mut self, session: AuthSession) -> Result<(), Fault> {
        self.context.flush_context(SessionHandle::from(session).into()).map_err(at("TPM2_FlushContext"))
    }
}

/// Why nothing answers at `tcti`, and what to do about it. The library says only "I/O error", so this looks for itself.
pub fn why_silent(tcti: &Tcti, code: u32) -> String {
    match tcti {
        Tcti::Device(path) => {
            let shown = path.display();
            match File::options().read(true).write(true).open(path).map_err(|error| (error.kind(), error)) {
                Err((ErrorKind::NotFound, _)) => {
                    format!("there is no {shown}; switch the TPM on in the firmware setup, or set 'tcti' in [tpm]")
                }
                Err((ErrorKind::PermissionDenied, _)) => {
                    format!("no permission for {shown}; put the daemon's user into the device's group, usually 'tss'")
                }
                Err((_, error)) => format!("{shown}: {error}"),
                Ok(_) => format!("{shown} does not answer as a TPM (0x{code:x}); is libtss2-tcti-device0 installed?"),
            }
        }
        Tcti::Swtpm { host, port } => {
            let silent = [*port, port.saturating_add(1)]
                .into_iter()
                .find_map(|port| TcpStream::connect((host.as_str(), port)).err().map(|error| (port, error)));
            match silent {
                Some((port, error)) => format!("swtpm at {host}:{port}: {error}; start it, or set 'tcti' in [tpm]"),
                None => format!(
                    "swtpm at {host}:{port} hung up or does not answer as a TPM (0x{code:x}); \
                     is libtss2-tcti-swtpm0 installed?"
                ),
            }
        }
        Tcti::Tabrmd => format!(
            "the TPM access broker does not answer (0x{code:x}); are tpm2-abrmd and libtss2-tcti-tabrmd0 installed?"
        ),
    }
}
