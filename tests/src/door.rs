//! The ways into a vault, and a test for each from one case.

use std::fmt::Debug;

use tokenvault_proto::{DescribeOptions, ErrorCode, GetOptions, PutOptions, TokenInfo};

use crate::{User, Vault, c_library};

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

/// The vault's own socket, with libtokenvault in between.
#[derive(Debug, Clone, Copy)]
pub struct CLibrary;

impl CLibrary {
    /// As `WhoAmI` names it.
    pub const fn as_str(self) -> &'static str {
        Door::Socket.as_str()
    }
}

/// What clients can be opened through.
pub trait Entrance: Copy {
    /// A client; its methods are those of the Rust client.
    type Client: Tokens;

    /// Opens a client as `user`. The connection is made here, so it is that user's for good.
    fn client(self, vault: &Vault, user: User) -> Self::Client;
}

impl Entrance for Door {
    type Client = tokenvault_client::Client;

    fn client(self, vault: &Vault, user: User) -> Self::Client {
        vault.client(user, self)
    }
}

impl Entrance for CLibrary {
    type Client = c_library::Client;

    fn client(self, vault: &Vault, user: User) -> Self::Client {
        let address = vault.address_text(Door::Socket);
        let client = user.run(|| c_library::Client::open(&address).expect("opening a client"));
        assert_eq!(client.who_am_i().expect("who am I").uid, user.uid);
        client
    }
}

/// An error with a row in the contract's table.
pub trait Coded: Debug {
    /// The row.
    fn code(&self) -> ErrorCode;
}

/// What the helpers of the suites do with a client, whichever it is.
pub trait Tokens {
    /// Why a call failed.
    type Error: Coded;

    /// Stores a value.
    ///
    /// # Errors
    /// The client's.
    fn store(&self, name: &str, value: &[u8]) -> Result<u64, Self::Error>;

    /// The bytes of a value.
    ///
    /// # Errors
    /// The client's.
    fn value(&self, name: &str, options: &GetOptions) -> Result<Vec<u8>, Self::Error>;

    /// Everything else about a token.
    ///
    /// # Errors
    /// The client's.
    fn info(&self, name: &str) -> Result<TokenInfo, Self::Error>;
}

macro_rules! tokens {
    ($client:ty, $error:ty) => {
        impl Coded for $error {
            fn code(&self) -> ErrorCode {
                Self::code(self)
            }
        }

        impl Tokens for $client {
            type Error = $error;

            fn store(&self, name: &str, value: &[u8]) -> Result<u64, Self::Error> {
                self.put(name, value, &PutOptions::default())
            }

            fn value(&self, name: &str, options: &GetOptions) -> Result<Vec<u8>, Self::Error> {
                self.get(name, options).map(|value| value.data().to_vec())
            }

            fn info(&self, name: &str) -> Result<TokenInfo, Self::Error> {
                self.describe(name, &DescribeOptions::default())
            }
        }
    };
}

tokens!(tokenvault_client::Client, tokenvault_client::Error);
tokens!(c_library::Client, c_library::Error);

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

/// Makes three tests of every case: those of [`through_both_doors!`], and `case::through_the_c_library`. A case gets its
/// clients from the door, so that it is compiled against either client.
#[macro_export]
macro_rules! through_every_client {
    ($($(#[$meta:meta])* fn $name:ident($door:ident) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            fn case($door: $crate::Door) $body

            fn case_in_c($door: $crate::CLibrary) $body

            #[test]
            fn through_the_socket() {
                case($crate::Door::Socket);
            }

            #[test]
            fn through_the_bus() {
                case($crate::Door::Bus);
            }

            #[test]
            fn through_the_c_library() {
                case_in_c($crate::CLibrary);
            }
        }
    )*};
}
