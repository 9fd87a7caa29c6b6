//! Scenarios in turns, so that a noisy moment hits all of them alike; then medians.

use serde::Serialize;

use crate::load::{Load, Sample};
use crate::report::Report;

/// Rounds of every comparison.
pub const ROUNDS: usize = 7;

/// A load with the name its figures go under.
pub struct Scenario {
    name: String,
    load: Load,
}

/// What the rounds of one scenario gave.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Median {
    /// Microseconds.
    pub p50: f64,
    /// Microseconds.
    pub p99: f64,
    /// Calls a second.
    pub rate: f64,
}

impl Scenario {
    /// A scenario.
    pub fn new(name: impl Into<String>, load: Load) -> Self {
        Self { name: name.into(), load }
    }
}

/// Runs all of them in turns, [`ROUNDS`] times; their medians in the same order.
pub fn compare<const N: usize>(report: &mut Report, scenarios: [Scenario; N]) -> [Median; N] {
    let all = scenarios.each_ref();
    let medians = compare_all(report, &all);
    medians.try_into().expect("as many as there were")
}

/// The same for a number of scenarios that is not known before.
pub fn compare_all(report: &mut Report, scenarios: &[&Scenario]) -> Vec<Median> {
    let mut samples: Vec<Vec<Sample>> = scenarios.iter().map(|_| Vec::with_capacity(ROUNDS)).collect();
    for _ in 0..ROUNDS {
        for (scenario, samples) in scenarios.iter().zip(&mut samples) {
            samples.push(scenario.load.run());
        }
    }
    let medians: Vec<Median> = samples.iter().map(|samples| Median::of(samples)).collect();
    for (scenario, median) in scenarios.iter().zip(&medians) {
        report.measured(&scenario.name, *median);
    }
    medians
}

impl Median {
    /// Of some samples, each figure by itself.
    pub fn of(samples: &[Sample]) -> Self {
        let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure));
        Self { p50: of(|sample| sample.p50), p99: of(|sample| sample.p99), rate: of(Sample::rate) }
    }
}

/// The middle one.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
