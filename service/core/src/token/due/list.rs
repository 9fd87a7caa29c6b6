//! Listing what is due, for whoever tells people who do not subscribe.

use super::{DuePass, DueRequest, DueToken};
use crate::error::Error;
use crate::port::Ending;
use crate::vault::Vault;

/// Steps of one page, and after how many tokens it ends: they fit into an answer.
const STEPS: usize = 64;
const ENOUGH: usize = 256;

impl DuePass {
    /// Goes on where an earlier page ended; an empty text is the beginning.
    fn resume(request: DueRequest, after: &str) -> Result<Self, Error> {
        let mut pass = Self::new(request);
        if after.is_empty() {
            return Ok(pass);
        }
        let numbers: Option<Vec<i64>> = after.split('.').map(|number| number.parse().ok()).collect();
        match numbers.as_deref() {
            Some([at]) => pass.place(*at, None),
            Some([at, day, token, row]) => {
                pass.place(*at, Some(Ending { day: *day, token: *token, principal: 0, row: *row }));
            }
            _ => return Err(Error::InvalidArgs("option 'after' is not the 'next' of an earlier page".into())),
        }
        Ok(pass)
    }

    /// Where it is.
    fn text(&self) -> String {
        match self.here() {
            (at, None) => format!("{at}"),
            (at, Some(Ending { day, token, row, .. })) => format!("{at}.{day}.{token}.{row}"),
        }
    }
}

impl Vault {
    /// Tokens of all owners that became due within a time, a page at a time; with the place where the next one begins, which is
    /// empty at the end. A page may be empty and not the last. Blocks.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for a place that is none; when the vault is not open, or the store cannot be read.
    pub fn list_due(&self, request: DueRequest, after: &str) -> Result<(Vec<DueToken>, String), Error> {
        let (mut pass, mut tokens) = (DuePass::resume(request, after)?, Vec::new());
        for _ in 0..STEPS {
            match self.step_due(&mut pass)? {
                Some(due) => tokens.extend(due),
                None => return Ok((tokens, String::new())),
            }
            if tokens.len() >= ENOUGH {
                break;
            }
        }
        Ok((tokens, pass.text()))
    }
}
