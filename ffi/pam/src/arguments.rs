//! The words after the module's name in a service file of PAM.

use std::ffi::{CStr, CString};
use std::path::Path;
use std::time::Duration;

/// Longest time an entry of the module takes; also the default.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_secs(2);

/// Where an installed vault keeps its programs. The same variable tells the daemon, in `tokenvault-proto`, which is not
/// linked here: the bus would come with it.
const LIBEXEC_DIR: &str = match option_env!("TOKENVAULT_LIBEXECDIR") {
    Some(directory) => directory,
    None => "/usr/libexec/tokenvault",
};
const PROGRAM: &str = "tokenvault-pam-helper";

/// What an administrator has set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Whether what is usual is logged too.
    pub(crate) debug: bool,
    /// How long an entry may take.
    pub(crate) timeout: Duration,
    /// The program that does the work.
    pub(crate) helper: CString,
    /// Words that were passed over, for the log.
    pub(crate) unusable: Vec<String>,
}

impl Default for Arguments {
    fn default() -> Self {
        let helper = CString::new(format!("{LIBEXEC_DIR}/{PROGRAM}")).unwrap_or_default();
        Self { debug: false, timeout: TIMEOUT_MAX, helper, unusable: Vec::new() }
    }
}

impl Arguments {
    /// Reads them. A word that is not understood changes nothing: a mistake here must keep nobody from logging in.
    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a CStr>) -> Self {
        let mut arguments = Self::default();
        for word in words {
            if arguments.take(word).is_none() {
                arguments.unusable.push(word.to_string_lossy().into_owned());
            }
        }
        arguments
    }

    fn take(&mut self, word: &CStr) -> Option<()> {
        let text = word.to_str().ok()?;
        if text == "debug" {
            self.debug = true;
        } else if let Some(number) = text.strip_prefix("timeout=") {
            let milliseconds = number.parse().ok().filter(|number| *number > 0)?;
            self.timeout = Duration::from_millis(milliseconds).min(TIMEOUT_MAX);
        } else {
            let path = text.strip_prefix("helper=").filter(|path| Path::new(path).is_absolute())?;
            self.helper = CString::new(path).ok()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parse(words: &[&CStr]) -> Arguments {
        Arguments::parse(words.iter().copied())
    }

    #[test]
    fn without_words_the_installed_helper_has_two_seconds() {
        let arguments = parse(&[]);
        assert_eq!(arguments, Arguments::default());
        assert!(arguments.helper.to_str().unwrap().ends_with("/tokenvault/tokenvault-pam-helper"));
        assert_eq!(arguments.timeout, Duration::from_secs(2));
    }

    #[test]
    fn every_word_is_taken() {
        let arguments = parse(&[c"debug", c"timeout=300", c"helper=/opt/helper"]);
        let expected = Arguments {
            debug: true,
            timeout: Duration::from_millis(300),
            helper: c"/opt/helper".into(),
            unusable: Vec::new(),
        };
        assert_eq!(arguments, expected);
    }

    #[test]
    fn nobody_waits_longer_than_two_seconds() {
        assert_eq!(parse(&[c"timeout=60000"]).timeout, TIMEOUT_MAX);
        assert_eq!(parse(&[c"timeout=18446744073709551615"]).timeout, TIMEOUT_MAX);
    }

    #[test]
    fn a_word_that_is_not_understood_is_kept_for_the_log_and_changes_nothing() {
        for word in [
            c"timeout=0",
            c"timeout=-1",
            c"timeout=2s",
            c"timeout=",
            c"helper=bin",
            c"helper=",
            c"try_first_pass",
            c"\xff",
        ] {
            let arguments = parse(&[word]);
            assert_eq!(arguments.unusable, [word.to_string_lossy()]);
            assert_eq!(Arguments { unusable: Vec::new(), ..arguments }, Arguments::default());
        }
    }
}
