//! Tables: a header, aligned columns, nothing after the last character of a line.

/// Which side of a column its cells stand at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a header. Cells are already safe to print.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

const GAP: &str = "  ";
const BOLD: &str = "\u{1b}[1m";
const NORMAL: &str = "\u{1b}[0m";

impl Table {
    /// A table without rows.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row. A cell without text is shown as `-`, so that columns can be counted.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { cell }).collect());
    }

    /// The text, each line with a line feed. Without rows there is no header either.
    pub fn render(&self, header: bool, colour: bool) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let widths = self.widths(header);
        let mut text = String::new();
        if header {
            let titles: Vec<&str> = self.columns.iter().map(|(title, _)| *title).collect();
            let line = self.align(&titles, &widths);
            text.push_str(&if colour { format!("{BOLD}{line}{NORMAL}\n") } else { line + "\n" });
        }
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            text.push_str(&self.align(&cells, &widths));
            text.push('\n');
        }
        text
    }

    fn widths(&self, header: bool) -> Vec<usize> {
        let mut widths: Vec<usize> =
            self.columns.iter().map(|(title, _)| if header { title.len() } else { 0 }).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }

    fn align(&self, cells: &[&str], widths: &[usize]) -> String {
        let aligned: Vec<String> = cells
            .iter()
            .zip(widths)
            .zip(&self.columns)
            .map(|((cell, width), (_, align))| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            })
            .collect();
        aligned.join(GAP).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&[("NAME", Align::Left), ("SIZE", Align::Right), ("CLASS", Align::Left)]);
        table.row(["a".into(), "100".into(), "machine".into()]);
        table.row(["long/näme".into(), "7".into(), String::new()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_lines_end_with_their_text() {
        assert_eq!(
            sample().render(true, false),
            "NAME       SIZE  CLASS\na           100  machine\nlong/näme     7  -\n"
        );
    }

    #[test]
    fn without_a_header_only_rows_are_left() {
        assert_eq!(sample().render(false, false), "a          100  machine\nlong/näme    7  -\n");
    }

    #[test]
    fn colour_is_used_only_when_asked_for() {
        assert!(sample().render(true, true).contains('\u{1b}'));
        assert!(!sample().render(true, false).contains('\u{1b}'));
    }

    #[test]
    fn an_empty_table_is_empty() {
        assert_eq!(Table::new(&[("NAME", Align::Left)]).render(true, true), "");
    }
}
