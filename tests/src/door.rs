//! The two doors, and a test for each from one case.

/// The way a client comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The vault's own socket.
    Socket,
    /// The bus.
    Bus,
}

impl Door {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Socket, Self::Bus];

    /// As `WhoAmI` names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Bus => "bus",
        }
    }
}

/// Makes two tests of every case: `case::through_the_socket` and `case::through_the_bus`.
#[macro_export]
macro_rules! through_both_doors {
    ($($(#[$meta:meta])* fn $name:ident($door:ident) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            fn case($door: $crate::Door) $body

            #[test]
            fn through_the_socket() {
                case($crate::Door::Socket);
            }

            #[test]
            fn through_the_bus() {
                case($crate::Door::Bus);
            }
        }
    )*};
}
