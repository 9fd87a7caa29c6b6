//! Where secrets come from: a prompt, standard input, a file, a descriptor. Never the arguments, never the environment.

mod line;
mod source;
mod terminal;

pub use source::{PASSPHRASE_BYTES_MAX, Source, check_passphrase, check_value, read_passphrase, read_text, read_value};
pub use terminal::{Echo, Terminal};
