//! Which doors a client tries, and in what order.

use std::ffi::OsString;
use std::path::PathBuf;

use tokenvault_proto::{ADDRESS_VARIABLE, Address, DEFAULT_SOCKET};

use crate::error::Error;
use crate::sys;

/// libdbus' own variable for the system bus.
const SYSTEM_BUS_VARIABLE: &str = "DBUS_SYSTEM_BUS_ADDRESS";
/// Where the system bus is when nothing else is said.
const SYSTEM_BUS: &str = "unix:path=/var/run/dbus/system_bus_socket";

/// The doors to try, first to last: the given one, else the one the environment names, else the private socket of an
/// installed vault and the system bus.
pub(crate) fn resolve(given: Option<&Address>) -> Result<Vec<Address>, Error> {
    resolve_with(given, environment(ADDRESS_VARIABLE))
}

/// The D-Bus address of the system bus.
pub(crate) fn system_bus() -> String {
    environment(SYSTEM_BUS_VARIABLE).and_then(|value| value.into_string().ok()).unwrap_or_else(|| SYSTEM_BUS.to_owned())
}

fn resolve_with(given: Option<&Address>, variable: Option<OsString>) -> Result<Vec<Address>, Error> {
    if let Some(address) = given {
        return Ok(vec![address.clone()]);
    }
    let Some(value) = variable else {
        return Ok(vec![Address::Socket(PathBuf::from(DEFAULT_SOCKET)), Address::SystemBus]);
    };
    let text = value.to_string_lossy();
    let address = text.parse().map_err(|error| Error::invalid(format!("{ADDRESS_VARIABLE}: {error}")))?;
    Ok(vec![address])
}

/// A variable of the environment; none are there for a program that was started with more rights than its caller has.
fn environment(name: &str) -> Option<OsString> {
    if sys::is_privileged_start() {
        return None;
    }
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// An address for people, in the form it is given in.
pub(crate) fn describe(address: &Address) -> String {
    match address {
        Address::Socket(path) => format!("'unix:path={}'", path.display()),
        Address::Bus(bus) => format!("'bus:{bus}'"),
        Address::SystemBus => "the system bus".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokenvault_proto::ErrorCode;

    use super::*;

    #[test]
    fn a_given_address_beats_the_environment() {
        let given = Address::Socket("/a".into());
        assert_eq!(resolve_with(Some(&given), Some("unix:path=/b".into())), Ok(vec![given]));
    }

    #[test]
    fn the_environment_beats_the_default() {
        assert_eq!(resolve_with(None, Some("bus:system".into())), Ok(vec![Address::SystemBus]));
    }

    #[test]
    fn the_private_socket_is_tried_before_the_system_bus() {
        let doors = resolve_with(None, None).unwrap();
        assert_eq!(doors, [Address::Socket(DEFAULT_SOCKET.into()), Address::SystemBus]);
    }

    #[test]
    fn nonsense_in_the_environment_is_refused_and_names_the_variable() {
        let error = resolve_with(None, Some("/run/x".into())).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgs);
        assert!(error.to_string().contains(ADDRESS_VARIABLE), "{error}");
    }
}
