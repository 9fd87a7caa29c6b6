//! Which calls the doors count, because nobody else does.
//!
//! What is called on an interface that is served is counted at the desk, whatever it is. Everything else zbus answers below
//! it: the standard interfaces, and what does not exist. On the bus `Ping` alone is nobody's to count: it costs no more to
//! answer than to refuse, and who asks whether the vault is there should hear that it is. `GetMachineId` is no such call: it
//! reads a file.

use tokenvault_proto::OBJECT_PATH;

use super::SERVED;
use crate::message::Called;

/// Longest message that is a `Ping` and nothing else.
const LONGEST_PING: usize = 1024;

/// Whether the reader of the bus has to count a call.
pub fn is_counted_on_the_bus(call: &Called<'_>) -> bool {
    !is_served(call) && !is_ping(call)
}

/// Whether a call is to what is served, so that the desk counts it.
pub fn is_served(call: &Called<'_>) -> bool {
    call.path == OBJECT_PATH.as_bytes() && SERVED.iter().any(|served| (served.name)().as_bytes() == call.interface)
}

fn is_ping(call: &Called<'_>) -> bool {
    call.interface == b"org.freedesktop.DBus.Peer" && call.member == b"Ping" && call.len <= LONGEST_PING
}

#[cfg(test)]
mod tests {
    use tokenvault_proto::{ADMIN_INTERFACE, MANAGER_INTERFACE, TOKENS_INTERFACE};

    use super::*;

    fn call<'a>(path: &'a str, interface: &'a str, member: &'a str) -> Called<'a> {
        Called { path: path.as_bytes(), interface: interface.as_bytes(), member: member.as_bytes(), len: 200 }
    }

    #[test]
    fn the_desk_counts_what_is_called_on_its_interfaces_and_the_doors_what_only_looks_so() {
        for interface in [MANAGER_INTERFACE, TOKENS_INTERFACE, ADMIN_INTERFACE] {
            for member in ["Get", "Nothing", ""] {
                assert!(!is_counted_on_the_bus(&call(OBJECT_PATH, interface, member)), "{interface}.{member}");
            }
            for path in ["/", "/org/tokenvault1/Tokens", ""] {
                assert!(is_counted_on_the_bus(&call(path, interface, "Get")), "{interface} at {path}");
            }
        }
        for interface in ["", "org.tokenvault1", "org.tokenvault1.Token", "org.tokenvault1.Tokens2", "a.b"] {
            assert!(is_counted_on_the_bus(&call(OBJECT_PATH, interface, "Get")), "{interface}");
        }
    }

    #[test]
    fn a_ping_is_free_and_nothing_that_stands_beside_it() {
        let peer = "org.freedesktop.DBus.Peer";
        assert!(!is_counted_on_the_bus(&call("/any", peer, "Ping")));
        assert!(is_counted_on_the_bus(&Called { len: LONGEST_PING + 1, ..call("/any", peer, "Ping") }));
        assert!(is_counted_on_the_bus(&call("/any", peer, "GetMachineId")));
        assert!(is_counted_on_the_bus(&call("/any", "", "Ping")));
        for interface in ["Introspectable", "Properties", "ObjectManager"] {
            assert!(is_counted_on_the_bus(&call(OBJECT_PATH, &format!("org.freedesktop.DBus.{interface}"), "Ping")));
        }
    }
}
