//! Which calls the doors count, because nobody else does.
//!
//! What is called on an interface that is served is counted at the desk, whatever it is. Everything else zbus answers below
//! it: the standard interfaces, and what does not exist.

use tokenvault_proto::OBJECT_PATH;

use super::SERVED;
use crate::door::Called;

/// Whether a door has to count a call.
pub fn is_counted_at_the_door(call: &Called<'_>) -> bool {
    !is_served(call)
}

fn is_served(call: &Called<'_>) -> bool {
    call.path == OBJECT_PATH.as_bytes() && SERVED.iter().any(|served| (served.name)().as_bytes() == call.interface)
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
                assert!(!is_counted_at_the_door(&call(OBJECT_PATH, interface, member)), "{interface}.{member}");
            }
            for path in ["/", "/org/tokenvault1/Tokens", ""] {
                assert!(is_counted_at_the_door(&call(path, interface, "Get")), "{interface} at {path}");
            }
        }
        for interface in ["", "org.tokenvault1", "org.tokenvault1.Token", "org.tokenvault1.Tokens2", "a.b"] {
            assert!(is_counted_at_the_door(&call(OBJECT_PATH, interface, "Get")), "{interface}");
        }
    }
}
