//! What goes out in place of a reply that cannot be sent as it is.

use std::num::NonZeroU32;

use zbus::Message;

/// Why the reply itself cannot go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The client did not negotiate descriptors.
    NoDescriptors,
    /// The kernel passes no more of ours for now.
    TooManyDescriptors,
}

impl Cause {
    const fn name(self) -> &'static str {
        match self {
            Self::NoDescriptors => "org.freedesktop.DBus.Error.NotSupported",
            Self::TooManyDescriptors => "org.tokenvault1.Error.LimitsExceeded",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::NoDescriptors => {
                "values travel as file descriptors, which this connection did not negotiate; connect with NEGOTIATE_UNIX_FD"
            }
            Self::TooManyDescriptors => "limit 'pipes' is reached; too many replies are unread, retry",
        }
    }
}

/// An error reply to the call with this number.
pub(super) fn instead(call: NonZeroU32, cause: Cause) -> std::io::Result<Message> {
    // zbus makes replies to messages only; of the call, its number is all that goes into one.
    let error = Message::method_call("/", "Call")
        .serial(call)
        .build(&())
        .and_then(|call| Message::error(&call.header(), cause.name()).build(&cause.text()));
    error.map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_answers_the_call_it_stands_for() {
        for cause in [Cause::NoDescriptors, Cause::TooManyDescriptors] {
            let message = instead(NonZeroU32::new(77).unwrap(), cause).unwrap();
            let header = message.header();
            assert_eq!(header.reply_serial(), NonZeroU32::new(77));
            assert_eq!(header.error_name().unwrap().as_str(), cause.name());
        }
    }
}
