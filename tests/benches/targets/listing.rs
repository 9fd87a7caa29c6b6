//! Lists: a page of many tokens, and a filter that matches none of them.

use tokenvault_tests::{ALICE, BOB, Door};

use crate::Bench;
use crate::latency::RAISED;
use crate::pin::Pinned;
use crate::report::Bound::AtMost;
use crate::report::{Report, Row};
use crate::rounds::{Scenario, compare};
use crate::site::{OWN_TOKENS, PREFIX, READS};

/// Rows of the page.
const ROWS: u64 = 100;
/// What no name begins with.
const NOTHING: &str = "nothing/";

/// Measures it, on one processor.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    bench.big.restart(&[READS]);
    let _pinned = Pinned::new(bench.big.processes());
    let many = bench.big.tokens_of_others();
    let [get, page, nothing, own] = compare(
        report,
        [
            Scenario::new("private: Get", bench.big.get(ALICE, Door::Socket).pinned()),
            Scenario::new("private: List, 100 of many", bench.big.list(BOB, PREFIX, ROWS).pinned()),
            Scenario::new("private: List, none of many", bench.big.list(BOB, NOTHING, 0).pinned()),
            Scenario::new("private: List, none of 1,000", bench.big.list(ALICE, NOTHING, 0).pinned()),
        ],
    );
    let row = Row::new(format!("List, {ROWS} of {many} tokens, private door")).ours(page.p50, "us").note(RAISED);
    report.row(row.over("Get", get.p50).bound(AtMost(20.0)));
    let per_token = |figure: f64, tokens: u64| figure / tokens as f64;
    let row = Row::new(format!("List, filter that matches none of {many} tokens")).ours(nothing.p50 / 1e3, "ms");
    report.row(row.note("several pages, each of 2,048 tokens"));
    let row = Row::new("List, filter that matches nothing, a token").ours(per_token(nothing.p50, many), "us");
    report.row(row.over("of 1,000", per_token(own.p50, OWN_TOKENS)));
}
