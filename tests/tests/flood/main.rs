//! S9: one user does its worst, another one is measured. Apart from the other suites, and one test after the other, because
//! these load the machine and read the clock.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed, and figures are for those who read them"
)]

mod bus_values;
mod calls;
mod control;
mod descriptors;
mod doors;
mod hoard;
mod hostile;
mod knocks;
mod long_values;
mod measure;
mod replies;
mod slow_disk;
mod strangers;
mod timing;
mod timing_of_methods;
