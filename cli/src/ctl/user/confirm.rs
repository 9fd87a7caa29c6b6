//! What is asked before something is done to a user that is not undone.

use crate::failure::Failure;
use crate::input::{Echo, Terminal};

/// Room for what is typed to confirm.
const TYPED_MAX: usize = 64;

/// Says what will be and has the uid typed, at the terminal.
pub fn by_uid(uid: u32, what: &str) -> Result<(), Failure> {
    let terminal = Terminal::open("say --yes where nobody can be asked")?;
    terminal.show(&format!("{what}\n"))?;
    let typed = terminal.ask("Type the uid to go on", Echo::Shown, TYPED_MAX)?;
    if typed.expose() == uid.to_string().as_bytes() {
        return Ok(());
    }
    Err(Failure::cancelled())
}
