//! Which calls are answered with a value: they need a pipe.

use tokenvault_proto::TOKENS_INTERFACE;

use super::is_served;
use crate::message::Called;

/// Methods that hand out a value.
const HAND_OUT: [&[u8]; 3] = [b"Get", b"Generate", b"Redeem"];

/// Whether the answer to a call is a value, if it has one.
pub fn hands_out(call: &Called<'_>) -> bool {
    is_served(call) && call.interface == TOKENS_INTERFACE.as_bytes() && HAND_OUT.contains(&call.member)
}

#[cfg(test)]
mod tests {
    use tokenvault_proto::OBJECT_PATH;

    use super::*;

    fn call<'a>(path: &'a str, interface: &'a str, member: &'a str) -> Called<'a> {
        Called { path: path.as_bytes(), interface: interface.as_bytes(), member: member.as_bytes(), len: 200 }
    }

    #[test]
    fn a_value_is_the_answer_of_every_method_that_returns_a_descriptor_and_of_no_other() {
        let mut found = 0;
        for part in include_str!("../../../packaging/dbus/org.tokenvault1.xml").split("<interface name=\"").skip(1) {
            let (interface, methods) = part.split_once('"').unwrap();
            for method in methods.split("<method name=\"").skip(1) {
                let (member, arguments) = method.split_once('"').unwrap();
                let arguments = arguments.split("</method>").next().unwrap();
                let returns = |arg: &str| arg.contains("type=\"h\"") && arg.contains("direction=\"out\"");
                let hands = arguments.split("<arg").any(returns);
                assert_eq!(hands_out(&call(OBJECT_PATH, interface, member)), hands, "{interface}.{member}");
                found += usize::from(hands);
            }
        }
        assert_eq!(found, HAND_OUT.len());
        assert!(!hands_out(&call("/", TOKENS_INTERFACE, "Get")));
    }
}
