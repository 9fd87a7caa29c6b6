//! The text format of OpenMetrics 1.0. It is written so that a parser of the older text format of Prometheus reads it too, as
//! node_exporter's is: no type that one does not know.

use std::fmt::Write as _;

/// Names and values of labels. Values are words of ours: none needs an escape.
type Labels<'a> = [(&'a str, &'a str)];

/// A page that is being written.
#[derive(Default)]
pub(super) struct Text(String);

/// A family of samples that is being written.
pub(super) struct Family<'t> {
    text: &'t mut String,
    name: &'static str,
    suffix: &'static str,
}

/// A histogram: counts between bounds, the last one above all of them.
pub(super) struct Buckets {
    /// Upper bounds, as they are written.
    pub(super) bounds: Vec<String>,
    /// One more than there are bounds.
    pub(super) counts: Vec<u64>,
    /// Sum of everything that was counted.
    pub(super) sum: String,
}

impl Text {
    /// Something that only grows.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "_total", "counter", None, help)
    }

    /// Something that is now.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "", "gauge", None, help)
    }

    /// The same in a unit, with which its name ends.
    pub(super) fn gauge_in(&mut self, name: &'static str, unit: &'static str, help: &str) -> Family<'_> {
        self.family(name, "", "gauge", Some(unit), help)
    }

    /// Counts of sizes.
    pub(super) fn sizes(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "", "histogram", None, help)
    }

    /// Counts of times.
    pub(super) fn seconds(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "", "histogram", Some("seconds"), help)
    }

    fn family(
        &mut self,
        name: &'static str,
        suffix: &'static str,
        kind: &str,
        unit: Option<&str>,
        help: &str,
    ) -> Family<'_> {
        let text = &mut self.0;
        put(text, format_args!("# TYPE {name} {kind}\n"));
        if let Some(unit) = unit {
            put(text, format_args!("# UNIT {name} {unit}\n"));
        }
        put(text, format_args!("# HELP {name} {help}\n"));
        Family { text, name, suffix }
    }

    /// The page.
    pub(super) fn end(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }
}

impl Family<'_> {
    /// One number.
    pub(super) fn sample(&mut self, labels: &Labels<'_>, value: u64) {
        let (name, suffix) = (self.name, self.suffix);
        put(self.text, format_args!("{name}{suffix}{} {value}\n", written(labels)));
    }

    /// One histogram.
    pub(super) fn histogram(&mut self, labels: &Labels<'_>, buckets: &Buckets) {
        let (name, mut all) = (self.name, 0);
        let bounds = buckets.bounds.iter().map(String::as_str).chain(["+Inf"]);
        for (bound, count) in bounds.zip(&buckets.counts) {
            all += count;
            let labels = [labels, &[("le", bound)]].concat();
            put(self.text, format_args!("{name}_bucket{} {all}\n", written(&labels)));
        }
        let labels = written(labels);
        put(self.text, format_args!("{name}_count{labels} {all}\n{name}_sum{labels} {}\n", buckets.sum));
    }
}

fn written(labels: &Labels<'_>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Memory takes what is written.
    let _written = text.write_fmt(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_the_specification_has_it() {
        let mut text = Text::default();
        text.counter("calls", "Calls.").sample(&[("method", "Get"), ("outcome", "ok")], 3);
        text.gauge_in("size_bytes", "bytes", "Size.").sample(&[], 7);
        let (bounds, counts) = (vec!["0.1".to_owned(), "1.0".to_owned()], vec![2, 0, 1]);
        text.seconds("time_seconds", "Time.").histogram(&[], &Buckets { bounds, counts, sum: "9.5".to_owned() });
        let expected = "# TYPE calls counter\n# HELP calls Calls.\ncalls_total{method=\"Get\",outcome=\"ok\"} 3\n\
            # TYPE size_bytes gauge\n# UNIT size_bytes bytes\n# HELP size_bytes Size.\nsize_bytes 7\n\
            # TYPE time_seconds histogram\n# UNIT time_seconds seconds\n# HELP time_seconds Time.\n\
            time_seconds_bucket{le=\"0.1\"} 2\ntime_seconds_bucket{le=\"1.0\"} 2\ntime_seconds_bucket{le=\"+Inf\"} 3\n\
            time_seconds_count 3\ntime_seconds_sum 9.5\n# EOF\n";
        assert_eq!(text.end(), expected);
    }
}
