//! One thing, described by a field per line: titles at the right, as systemd writes them.

use super::text::{escape, wrap};

/// A column narrower than this is not worth breaking lines for.
const LEAST: usize = 20;

/// Titles and what they say.
#[derive(Debug, Default)]
pub struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// Adds a field; without text it is left out.
    pub fn add(&mut self, title: &'static str, text: impl AsRef<str>) {
        let text = escape(text.as_ref());
        if !text.is_empty() {
            self.0.push((title, text));
        }
    }

    /// The text, each line with a line feed; for a terminal of `columns`, long texts go on under their beginning.
    pub fn render(&self, columns: Option<usize>) -> String {
        let width = self.0.iter().map(|(title, _)| title.len()).max().unwrap_or_default();
        let room = columns.map(|columns| columns.saturating_sub(width + 2)).filter(|room| *room >= LEAST);
        let lines = |text: &str| room.map_or_else(|| vec![text.to_owned()], |room| wrap(text, room));
        let next = format!("\n{:width$}  ", "");
        self.0.iter().map(|(title, text)| format!("{title:>width$}: {}\n", lines(text).join(&next))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_end_in_one_column_and_empty_fields_are_left_out() {
        let mut fields = Fields::default();
        fields.add("State", "serving");
        fields.add("Reason", "");
        fields.add("Protection", "tpm2\n");
        assert_eq!(fields.render(None), "     State: serving\nProtection: tpm2\\n\n");
    }

    #[test]
    fn a_long_text_goes_on_under_its_beginning_on_a_terminal_only() {
        let mut fields = Fields::default();
        fields.add("Next", "a text that is too long for it");
        assert_eq!(fields.render(Some(26)), "Next: a text that is too\n      long for it\n");
        assert_eq!(fields.render(None).lines().count(), 1);
        assert_eq!(fields.render(Some(5)).lines().count(), 1, "no column of single words");
    }
}
