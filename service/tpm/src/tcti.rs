//! How a TPM is named in the configuration.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The kernel's resource-managed device. Not `/dev/tpm0`, which one program at a time can hold.
pub const DEFAULT_TCTI: &str = "device:/dev/tpmrm0";

/// Longest accepted text.
const MAX_LEN: usize = 512;

/// A way to a TPM (TCG: TPM Command Transmission Interface).
///
/// Only forms that mean what they say are accepted. The library below ignores keys it does not know, so that
/// `swtpm:path=/run/tpm.sock` would silently talk to port 2321 of localhost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tcti {
    /// `device:PATH`, an absolute path.
    Device(PathBuf),
    /// `swtpm:host=HOST,port=N`: an emulator; its control channel listens on the port after it.
    Swtpm {
        /// Host name or address.
        host: String,
        /// Port of the command channel.
        port: u16,
    },
    /// `tabrmd:`: the access broker on the system bus.
    Tabrmd,
}

/// Why a text names no TPM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TctiError {
    /// Not one of the accepted forms.
    #[error("'{0}' names no TPM: use 'device:/dev/tpmrm0', 'swtpm:host=HOST,port=N' or 'tabrmd:'")]
    UnknownForm(String),
    /// A device that is not an absolute path.
    #[error("'device:' needs an absolute path, as in 'device:/dev/tpmrm0'")]
    RelativeDevice,
    /// A Unix socket, which the TPM library cannot take.
    #[error("'swtpm:path=' does not work: give the emulator a TCP port and use 'swtpm:host=127.0.0.1,port=N'")]
    SwtpmPath,
    /// Host or port missing, doubled or malformed.
    #[error("'swtpm:' needs exactly a host and a port, as in 'swtpm:host=127.0.0.1,port=2321'")]
    SwtpmAddress,
    /// Over-long, or with characters that do not belong in a path or host.
    #[error("the name of the TPM is over {MAX_LEN} bytes or has control characters")]
    Malformed,
}

impl FromStr for Tcti {
    type Err = TctiError;

    fn from_str(text: &str) -> Result<Self, TctiError> {
        if text.len() > MAX_LEN || text.chars().any(char::is_control) {
            return Err(TctiError::Malformed);
        }
        match text.split_once(':') {
            Some(("device", path)) if path.starts_with('/') => Ok(Self::Device(path.into())),
            Some(("device", _)) => Err(TctiError::RelativeDevice),
            Some(("swtpm", address)) => swtpm(address),
            Some(("tabrmd", "")) => Ok(Self::Tabrmd),
            _ => Err(TctiError::UnknownForm(text.into())),
        }
    }
}

fn swtpm(address: &str) -> Result<Tcti, TctiError> {
    let (mut host, mut port) = (None, None);
    for pair in address.split(',') {
        let before = match pair.split_once('=') {
            Some(("path", _)) => return Err(TctiError::SwtpmPath),
            Some(("host", value)) => host.replace(value).is_some(),
            Some(("port", value)) => port.replace(value).is_some(),
            _ => return Err(TctiError::SwtpmAddress),
        };
        if before {
            return Err(TctiError::SwtpmAddress);
        }
    }
    let host = host.filter(|host| is_host(host)).ok_or(TctiError::SwtpmAddress)?;
    let port = port.and_then(|port| port.parse().ok()).filter(|port| (1..u16::MAX).contains(port));
    Ok(Tcti::Swtpm { host: host.into(), port: port.ok_or(TctiError::SwtpmAddress)? })
}

/// A name or an address; nothing that could be read as another key.
fn is_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':'))
}

impl fmt::Display for Tcti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => write!(f, "device:{}", path.display()),
            Self::Swtpm { host, port } => write!(f, "swtpm:host={host},port={port}"),
            Self::Tabrmd => f.write_str("tabrmd:"),
        }
    }
}
