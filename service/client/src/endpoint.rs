//! The sockets that a bus address names (D-Bus specification, "Server Addresses").

use nix::sys::socket::UnixAddr;

/// One way to a bus.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Its socket.
    pub(crate) socket: UnixAddr,
    /// Which server must answer there, if the address says.
    pub(crate) guid: Option<String>,
}

/// The ways that an address names, first to last; for each that cannot be taken, why.
pub(crate) fn parse(address: &str) -> Vec<Result<Endpoint, String>> {
    address.split(';').filter(|way| !way.is_empty()).map(parse_one).collect()
}

fn parse_one(way: &str) -> Result<Endpoint, String> {
    let (transport, options) = way.split_once(':').ok_or("it is no D-Bus address, such as 'unix:path=PATH'")?;
    if transport != "unix" {
        let transport = transport.escape_debug();
        return Err(format!("transport '{transport}' is not supported: give a Unix socket, 'unix:path=PATH'"));
    }
    let (mut path, mut name, mut guid) = (None, None, None);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=').ok_or("an option in it has no value")?;
        let place = match key {
            "path" => &mut path,
            "abstract" => &mut name,
            "guid" => &mut guid,
            // What only a server needs, and what later servers may say.
            _ => continue,
        };
        if place.replace(unescape(value)?).is_some() {
            return Err(format!("'{key}' stands in it twice"));
        }
    }
    let socket = match (path, name) {
        (Some(path), None) => UnixAddr::new(path.as_slice()),
        (None, Some(name)) => UnixAddr::new_abstract(&name),
        _ => return Err("it needs either 'path' or 'abstract'".to_owned()),
    };
    let socket = socket.map_err(|errno| errno.desc().to_owned())?;
    Ok(Endpoint { socket, guid: guid.map(|guid| String::from_utf8_lossy(&guid).into_owned()) })
}

/// `%xx` is the byte with that number; all else is what it is.
fn unescape(value: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("'%' in it is not followed by two hexadecimal digits".to_owned());
        };
        bytes.extend(u8::try_from(high * 16 + low));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sole(address: &str) -> Result<Endpoint, String> {
        let mut ways = parse(address);
        assert_eq!(ways.len(), 1, "{address}");
        ways.remove(0)
    }

    fn path(path: &str) -> UnixAddr {
        UnixAddr::new(path).unwrap()
    }

    #[test]
    fn paths_and_abstract_names_are_unescaped() {
        assert_eq!(sole("unix:path=/run/bus").unwrap(), Endpoint { socket: path("/run/bus"), guid: None });
        assert_eq!(sole("unix:path=/a%20b%2cc").unwrap().socket, path("/a b,c"));
        assert_eq!(sole("unix:path=/a b").unwrap().socket, path("/a b"));
        assert_eq!(sole("unix:abstract=/tmp/x%3b").unwrap().socket, UnixAddr::new_abstract(b"/tmp/x;").unwrap());
        let guided = sole("unix:path=/run/bus,guid=0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(guided.guid.as_deref(), Some("0123456789abcdef0123456789abcdef"));
    }

    #[test]
    fn alternatives_stand_in_their_order() {
        let ways = parse("unix:path=/one;tcp:host=localhost,port=1;unix:path=/two;");
        assert_eq!(ways.len(), 3);
        assert_eq!(ways[0].as_ref().unwrap().socket, path("/one"));
        assert!(ways[1].is_err());
        assert_eq!(ways[2].as_ref().unwrap().socket, path("/two"));
        assert!(parse("").is_empty());
    }

    #[test]
    fn what_is_no_unix_socket_is_refused_with_what_to_give_instead() {
        for address in
            ["tcp:host=localhost,port=1", "nonce-tcp:host=x", "unixexec:path=/bin/x", "autolaunch:", "nonsense"]
        {
            let refusal = sole(address).unwrap_err();
            assert!(refusal.contains("'unix:path=PATH'"), "{address}: {refusal}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let long = format!("unix:path=/{}", "x".repeat(200));
        for address in [
            "unix:",
            "unix:path",
            "unix:dir=/tmp",
            "unix:path=/a,abstract=b",
            "unix:path=/a,path=/b",
            "unix:path=/a%2",
            "unix:path=/a%zz",
            "unix:path=/a%+1",
            "unix:path=/a%00b",
            &long,
        ] {
            assert!(sole(address).is_err(), "{address}");
        }
    }
}
