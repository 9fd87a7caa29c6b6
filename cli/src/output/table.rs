//! Tables: a header, aligned columns, nothing after the last character of a line. On a terminal the last column is broken
//! into lines where it does not fit.

use super::text::wrap;

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
/// A last column narrower than this is not broken.
const LEAST: usize = 16;
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

    /// The text, each line with a line feed; broken for a terminal of `columns`. Without rows there is no header either.
    pub fn render(&self, header: bool, colour: bool, columns: Option<usize>) -> String {
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
        let room = columns.and_then(|columns| room_of_last(&widths, columns));
        for row in &self.rows {
            for line in self.lines(row, room) {
                text.push_str(&self.align(&line.iter().map(String::as_str).collect::<Vec<_>>(), &widths));
                text.push('\n');
            }
        }
        text
    }

    /// A row as lines: where there is room for only so many characters in the last column, its text goes on below.
    fn lines(&self, row: &[String], room: Option<usize>) -> Vec<Vec<String>> {
        let (Some(room), Some((last, first))) = (room, row.split_last()) else {
            return vec![row.to_vec()];
        };
        let mut first = first.to_vec();
        let mut lines = Vec::new();
        for piece in wrap(last, room) {
            let mut line = first.clone();
            line.push(piece);
            lines.push(line);
            first.fill(String::new());
        }
        lines
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

/// How wide the last column may be on a terminal of `columns`, unless that is too little to be read.
fn room_of_last(widths: &[usize], columns: usize) -> Option<usize> {
    let (_, before) = widths.split_last()?;
    let taken: usize = before.iter().map(|width| width + GAP.len()).sum();
    columns.checked_sub(taken).filter(|room| *room >= LEAST)
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
            sample().render(true, false, None),
            "NAME       SIZE  CLASS\na           100  machine\nlong/näme     7  -\n"
        );
    }

    #[test]
    fn without_a_header_only_rows_are_left() {
        assert_eq!(sample().render(false, false, None), "a          100  machine\nlong/näme    7  -\n");
    }

    #[test]
    fn colour_is_used_only_when_asked_for() {
        assert!(sample().render(true, true, None).contains('\u{1b}'));
        assert!(!sample().render(true, false, None).contains('\u{1b}'));
    }

    #[test]
    fn the_last_column_goes_on_below_where_a_terminal_is_too_narrow() {
        let mut table = Table::new(&[("CHECK", Align::Left), ("FOUND", Align::Left)]);
        table.row(["tpm".into(), "no TPM answers here\n-> look".into()]);
        assert_eq!(
            table.render(true, false, Some(24)),
            "CHECK  FOUND\ntpm    no TPM answers\n       here\n       -> look\n"
        );
        let narrow = table.render(false, false, Some(20));
        assert!(narrow.starts_with("tpm  no TPM"), "too narrow for words: {narrow}");
    }

    #[test]
    fn an_empty_table_is_empty() {
        assert_eq!(Table::new(&[("NAME", Align::Left)]).render(true, true, None), "");
    }
}
