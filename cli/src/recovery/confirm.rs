//! A recovery slot: its key is kept by the user first, then the vault is wrapped to it, then the user shows to have it.

use std::path::PathBuf;

use tokenvault_client::Client;
use tokenvault_proto::{AddSlotOptions, ErrorCode};

use super::file::{read_key, show_and_ask_back, write_new};
use super::pair::RecoveryKey;
use crate::failure::Failure;
use crate::input::{Source, Terminal};

/// Kind of the slot.
pub const KIND: &str = "recovery";

/// How a new key reaches its owner.
pub enum Keeping {
    /// Shown on the terminal and typed back.
    Screen(Terminal),
    /// Written to a new file, and read back from somewhere, or confirmed later.
    File {
        /// The new file.
        out: PathBuf,
        /// Where the key is read back from.
        confirm: Option<Source>,
    },
}

impl Keeping {
    /// What the options say; without any, the terminal.
    ///
    /// # Errors
    /// When there is neither a file nor a terminal.
    pub fn new(out: Option<PathBuf>, confirm: Option<Source>) -> Result<Self, Failure> {
        match out {
            Some(out) => Ok(Self::File { out, confirm }),
            None => Terminal::open("write the recovery key to a file with --recovery-out FILE").map(Self::Screen),
        }
    }
}

/// Makes a key, sees to it that it is kept, and adds the slot. Returns the number of the slot, and whether the key was read
/// back.
///
/// # Errors
/// When the key cannot be kept, or the vault refuses. A slot is added only after the key is kept; a file whose key certainly
/// opens nothing is removed again.
pub fn add_slot(client: &Client, keeping: Keeping) -> Result<(u32, bool), Failure> {
    let key = RecoveryKey::generate()?;
    match keeping {
        Keeping::Screen(terminal) => {
            show_and_ask_back(&terminal, &key)?;
            let id = client.add_slot(KIND, &key.public(), &AddSlotOptions::default())?;
            client.confirm_recovery(key.expose())?;
            Ok((id, true))
        }
        Keeping::File { out, confirm } => {
            write_new(&out, &key)?;
            let added = client.add_slot(KIND, &key.public(), &AddSlotOptions::default());
            let id = added.inspect_err(|error| {
                if certainly_refused(error.code()) {
                    let _ = std::fs::remove_file(&out);
                }
            })?;
            if let Some(source) = &confirm {
                confirm_slot(client, Some(source))?;
            }
            Ok((id, confirm.is_some()))
        }
    }
}

/// Whether a call with this answer left no slot behind. After a lost connection nobody knows.
fn certainly_refused(code: ErrorCode) -> bool {
    !matches!(code, ErrorCode::Failed | ErrorCode::Unavailable | ErrorCode::Timeout)
}

/// Shows the vault that the key of its recovery slot can be read back.
///
/// # Errors
/// When it cannot be read, or is not the key of the slot.
pub fn confirm_slot(client: &Client, source: Option<&Source>) -> Result<(), Failure> {
    let key = read_key(source)?;
    Ok(client.confirm_recovery(key.expose())?)
}
