//! Tables: a header, aligned columns, nothing after the last character of a line. On a terminal the last column is broken
//! into lines where it does not fit, or stands below its row.

use super::text::wrap;

/// Which side of a column its cells stand at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Where the text of the last column stands.
#[derive(Debug, Clone, Copy)]
enum Last {
    /// In its place, as it is.
    Whole,
    /// In its place, in lines of so many characters.
    Beside(usize),
    /// Below its row, in lines of so many characters.
    Below(usize),
}

impl Last {
    /// For a terminal of `columns`.
    fn of(widths: &[usize], columns: Option<usize>) -> Self {
        let (Some(columns), Some((last, before))) = (columns, widths.split_last()) else {
            return Self::Whole;
        };
        let room = columns.saturating_sub(before.iter().map(|width| width + GAP.len()).sum());
        match columns.checked_sub(INDENT.len()) {
            _ if room >= LEAST => Self::Beside(room),
            Some(below) if *last > room && below >= LEAST => Self::Below(below),
            _ => Self::Whole,
        }
    }
}

/// Rows under a header. Cells are already safe to print.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

const GAP: &str = "  ";
/// A cell without text.
const EMPTY: &str = "-";
/// In a column narrower than this nothing can be read.
const LEAST: usize = 16;
/// Before what stands below its row.
const INDENT: &str = "    ";
const BOLD: &str = "\u{1b}[1m";
const NORMAL: &str = "\u{1b}[0m";

impl Table {
    /// A table without rows.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row. A cell without text is shown as `-`, so that columns can be counted.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| if cell.is_empty() { EMPTY.to_owned() } else { cell }).collect());
    }

    /// The text, each line with a line feed; broken for a terminal of `columns`. Without rows there is no header either.
    pub fn render(&self, header: bool, colour: bool, columns: Option<usize>) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let widths = self.widths(header);
        let last = Last::of(&widths, columns);
        let mut text = String::new();
        if header {
            let titles: Vec<&str> = self.columns.iter().map(|(title, _)| *title).collect();
            let shown = titles.len() - usize::from(matches!(last, Last::Below(_)));
            let line = self.align(titles.get(..shown).unwrap_or_default(), &widths);
            text.push_str(&if colour { format!("{BOLD}{line}{NORMAL}\n") } else { line + "\n" });
        }
        for row in &self.rows {
            for line in self.lines(row, last, &widths) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }

    /// The lines of a row.
    fn lines(&self, row: &[String], last: Last, widths: &[usize]) -> Vec<String> {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        let Some((text, before)) = cells.split_last() else {
            return Vec::new();
        };
        match last {
            Last::Whole => vec![self.align(&cells, widths)],
            Last::Beside(room) => {
                let mut before = before.to_vec();
                let mut lines = Vec::new();
                for piece in wrap(text, room) {
                    lines.push(self.align(&[before.as_slice(), &[piece.as_str()]].concat(), widths));
                    before.fill("");
                }
                lines
            }
            Last::Below(room) => {
                let below = if *text == EMPTY { Vec::new() } else { wrap(text, room) };
                let below = below.into_iter().map(|piece| format!("{INDENT}{piece}"));
                std::iter::once(self.align(before, widths)).chain(below).collect()
            }
        }
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
    }

    #[test]
    fn the_last_column_stands_below_its_row_where_nothing_is_left_for_it() {
        let mut table = Table::new(&[("NAME", Align::Left), ("ATTRIBUTES", Align::Left)]);
        table.row(["a/long/name".into(), "env=prod team=one".into()]);
        table.row(["b".into(), String::new()]);
        let folded = "NAME\na/long/name\n    env=prod\n    team=one\nb\n";
        assert_eq!(table.render(true, false, Some(20)), folded);
        assert_eq!(table.render(false, false, Some(10)).lines().count(), 2, "no lines of single characters");
    }

    #[test]
    fn an_empty_table_is_empty() {
        assert_eq!(Table::new(&[("NAME", Align::Left)]).render(true, true, None), "");
    }
}
