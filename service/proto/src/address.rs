//! Where a client finds the vault: `--address`, `TOKENVAULT_ADDRESS`.

use std::path::PathBuf;

/// A door of a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A private socket.
    Socket(PathBuf),
    /// A bus, by its D-Bus address.
    Bus(String),
    /// The system bus.
    SystemBus,
}

/// An address nobody can connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError(String);

impl std::fmt::Display for AddressError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "address '{}' is neither 'unix:path=PATH' (a private socket) nor 'bus:ADDRESS' (a bus)",
            self.0.escape_debug()
        )
    }
}

impl std::error::Error for AddressError {}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:path=") {
            if path.is_empty() || path.contains([',', ';', '\0']) {
                return Err(AddressError(text.to_owned()));
            }
            return Ok(Self::Socket(PathBuf::from(path)));
        }
        match text.strip_prefix("bus:") {
            Some("system") => Ok(Self::SystemBus),
            Some(bus) if !bus.is_empty() => Ok(Self::Bus(bus.to_owned())),
            _ => Err(AddressError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_and_buses_are_told_apart() {
        assert_eq!("unix:path=/run/x/bus".parse(), Ok(Address::Socket("/run/x/bus".into())));
        assert_eq!("bus:unix:path=/run/dbus".parse(), Ok(Address::Bus("unix:path=/run/dbus".into())));
        assert_eq!("bus:system".parse(), Ok(Address::SystemBus));
    }

    #[test]
    fn nonsense_is_refused_with_the_two_forms() {
        for text in ["", "bus:", "unix:path=", "/run/x", "unix:abstract=x", "unix:path=/a,guid=1"] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.to_string().contains("unix:path="), "{text}");
        }
    }
}
