//! The tables a run ends with.

use crate::report::{Bound, Figure, Report, Row};

/// Prints the rows, then every scenario's medians, in Markdown.
pub fn print(report: &Report) {
    for (key, value) in &report.machine {
        println!("{key}: {value}");
    }
    println!("\n| row | ours | reference | judged | target | |\n|---|--:|--:|--:|--:|---|");
    for row in &report.rows {
        println!("{}", markdown(row));
    }
    println!("\n| scenario | p50 us | p99 us | calls/s |\n|---|--:|--:|--:|");
    for (name, median) in &report.scenarios {
        println!("| {name} | {:.1} | {:.1} | {:.0} |", median.p50, median.p99, median.rate);
    }
    let missed: Vec<&str> =
        report.rows.iter().filter(|row| row.is_met() == Some(false)).map(|row| row.what.as_str()).collect();
    println!("\n{} of {} rows miss their target", missed.len(), report.rows.len());
    for what in missed {
        println!("MISSED: {what}");
    }
    for group in &report.broken {
        println!("NOT MEASURED: the group '{group}' failed; its reason is above");
    }
}

/// A row while the run goes on.
pub fn one_line(row: &Row) -> String {
    let [ours, reference, judged, target, verdict] = cells(row);
    format!("{}: {ours} [{reference}] {judged} {target} {verdict}", row.what)
}

fn markdown(row: &Row) -> String {
    let [ours, reference, judged, target, verdict] = cells(row);
    format!("| {} | {ours} | {reference} | {judged} | {target} | {verdict} |", row.what)
}

fn cells(row: &Row) -> [String; 5] {
    let ours = row.ours.map(figure).unwrap_or_default();
    let reference =
        row.reference.as_ref().map(|(name, value)| format!("{name}: {}", figure(*value))).unwrap_or_default();
    let judged = match (row.judged, &row.reference) {
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
    [ours, reference, judged, target, [verdict, &row.note].join(" ").trim().to_owned()]
}

fn figure(figure: Figure) -> String {
    let Figure { value, unit } = figure;
    let number = if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    let number = if value >= 1_000.0 || value.fract() == 0.0 { format!("{value:.0}") } else { number };
    format!("{number} {unit}").trim().to_owned()
}
