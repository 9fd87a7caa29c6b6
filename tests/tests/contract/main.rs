//! What others are written against is what is built: the arrows between the crates, the introspection document, the
//! verbs of the Makefile.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod arrows;
mod introspection;
