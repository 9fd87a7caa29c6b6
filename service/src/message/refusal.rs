//! What goes out in place of a reply that cannot be sent as it is.

use std::io;
use std::num::NonZeroU32;

use zbus::Message;
use zbus::names::BusName;

/// Why the reply itself cannot go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The client did not negotiate descriptors.
    NoDescriptors,
    /// As many values of the user are unread as it may have.
    TooManyUnread,
    /// The kernel passes no more of ours for now.
    TooManyDescriptors,
    /// The call was too large to be taken in.
    TooLarge,
    /// The call brought more descriptors than any has.
    TooManyBrought,
    /// The call is none that can be taken apart.
    Malformed,
    /// The large calls that are being worked on hold all that such may.
    TooMuchHeld,
    /// Its sender calls what is not the vault's own too often.
    TooOften,
}

impl Cause {
    const fn name(self) -> &'static str {
        match self {
            Self::NoDescriptors => "org.freedesktop.DBus.Error.NotSupported",
            Self::TooManyUnread | Self::TooManyDescriptors | Self::TooMuchHeld | Self::TooOften => {
                "org.tokenvault1.Error.LimitsExceeded"
            }
            Self::TooLarge | Self::TooManyBrought | Self::Malformed => "org.tokenvault1.Error.InvalidArgs",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::NoDescriptors => {
                "values travel as file descriptors, which this connection did not negotiate; connect with NEGOTIATE_UNIX_FD"
            }
            Self::TooManyUnread => {
                "limit 'pipes' is reached; read the replies you have; unread ones are withdrawn after some seconds"
            }
            Self::TooManyDescriptors => "limit 'pipes' is reached; too many replies are unread, retry",
            Self::TooLarge => "the call is larger than 256 KiB; values travel through a pipe, not in the call",
            Self::TooManyBrought => "the call has more than 16 file descriptors; send one for each value",
            Self::TooMuchHeld => "the vault works on too many calls over 4 KiB; retry, or send less in the call",
            Self::TooOften => {
                "a connection may call what is not the vault's own, but for Ping, 200 times a second; retry in a second"
            }
            Self::Malformed => {
                "the call has a header field that is unknown, repeated or malformed, or fewer file descriptors than it \
                 counts; send it as the D-Bus specification has it"
            }
        }
    }
}

/// In place of this reply, where it is one.
pub(crate) fn in_place_of(reply: &Message, cause: Cause) -> io::Result<Option<Message>> {
    let header = reply.header();
    let caller = match header.destination() {
        Some(BusName::Unique(name)) => Some(name.as_str()),
        _ => None,
    };
    header.reply_serial().map(|call| instead(call, caller, cause)).transpose()
}

/// An error reply to the call with this number, on a bus to this caller.
pub(crate) fn instead(call: NonZeroU32, caller: Option<&str>, cause: Cause) -> io::Result<Message> {
    // zbus makes replies to messages only; of the call, its number and who sent it are all that goes into one.
    let of = Message::method_call("/", "Call").serial(call);
    let of = match caller {
        Some(caller) => of.sender(caller),
        None => of,
    };
    let error = of.build(&()).and_then(|call| Message::error(&call.header(), cause.name()).build(&cause.text()));
    error.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_answers_the_call_it_stands_for() {
        for cause in [Cause::NoDescriptors, Cause::TooManyDescriptors, Cause::TooLarge] {
            let message = instead(NonZeroU32::new(77).unwrap(), Some(":1.5"), cause).unwrap();
            let header = message.header();
            assert_eq!(header.reply_serial(), NonZeroU32::new(77));
            assert_eq!(header.destination().unwrap().as_str(), ":1.5");
            assert_eq!(header.error_name().unwrap().as_str(), cause.name());
            let another = in_place_of(&message, Cause::NoDescriptors).unwrap().unwrap();
            assert_eq!(another.header().reply_serial(), NonZeroU32::new(77));
            assert_eq!(another.header().destination().unwrap().as_str(), ":1.5");
        }
    }
}
