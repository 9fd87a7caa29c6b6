//! The private door: peer-to-peer D-Bus on a socket of the vault's own.
