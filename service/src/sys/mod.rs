//! System calls that no library offers safely: the one place of the daemon where `unsafe` stands.
