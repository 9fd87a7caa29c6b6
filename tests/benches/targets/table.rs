//! The tables a run ends with.

use crate::report::{Bound, Figure, Report, Row};

/// Prints the rows, then every scenario's medians, in Markdown.
pub fn print(report: &Report) {
    for (key, value) in &report.machine {
        println!("{key}: {value}");
    }
    println!("\n| row | ours | reference | ratio | target | | |\n|---|--:|--:|--:|--:|---|---|");
    for row in &report.rows {
        println!("{}", markdown(row));
    }
    println!("\n| scenario | p50 us | p99 us | calls/s |\n|---|--:|--:|--:|");
    for (name, median) in &report.scenarios {
        println!("| {name} | {:.1} | {:.1} | {:.0} |", median.p50, median.p99, median.rate);
    }
    let missed: Vec<&Row> = report.rows.iter().filter(|row| row.is_met() == Some(false)).collect();
    println!("\n{} of {} rows miss their target", missed.len(), report.rows.len());
    for row in missed {
        println!("MISSED: {}", one_line(row));
    }
    for group in &report.broken {
        println!("NOT MEASURED: the group '{group}' failed; its reason is above");
    }
}

/// A row in a line by itself.
pub fn one_line(row: &Row) -> String {
    let [ours, reference, ratio, target, verdict, note] = cells(row);
    let words = [ours, reference, ratio, target, verdict, note];
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    format!("{}: {}", row.what, words.join(", "))
}

fn markdown(row: &Row) -> String {
    format!("| {} | {} |", row.what, cells(row).join(" | "))
}

fn cells(row: &Row) -> [String; 6] {
    let ours = row.ours.map(figure).unwrap_or_default();
    let reference =
        row.reference.as_ref().map(|(name, value)| format!("{name}: {}", figure(*value))).unwrap_or_default();
    let ratio = match (row.judged, &row.reference) {
        (Some(ratio), Some(_)) => format!("{ratio:.2}x"),
        _ => String::new(),
    };
    let target = match row.bound {
        Bound::AtMost(most) => format!("<= {most}"),
        Bound::AtLeast(least) => format!(">= {least}"),
        Bound::None => String::new(),
    };
    let verdict = match row.is_met() {
        Some(true) => "met",
        Some(false) => "**MISSED**",
        None => "",
    };
    [ours, reference, ratio, target, verdict.to_owned(), row.note.clone()]
}

fn figure(figure: Figure) -> String {
    let Figure { value, unit } = figure;
    let number = if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    let number = if value >= 1_000.0 || value.fract() == 0.0 { format!("{value:.0}") } else { number };
    format!("{number} {unit}").trim().to_owned()
}
