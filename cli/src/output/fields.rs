//! One thing, described by a field per line: titles at the right, as systemd writes them.

use super::text::escape;

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

    /// The text, each line with a line feed.
    pub fn render(&self) -> String {
        let width = self.0.iter().map(|(title, _)| title.len()).max().unwrap_or_default();
        self.0.iter().map(|(title, text)| format!("{title:>width$}: {text}\n")).collect()
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
        assert_eq!(fields.render(), "     State: serving\nProtection: tpm2\\n\n");
    }
}
