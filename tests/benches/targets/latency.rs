//! One caller, everything on one processor: `Get` at both doors beside the floors, sd-bus, fewer and more tokens, and the
//! desktop keyrings.

use tokenvault_tests::{ALICE, Door};

use crate::Bench;
use crate::floor::{self, VALUE_BYTES};
use crate::load::Load;
use crate::pin::Pinned;
use crate::report::Bound::{AtLeast, AtMost};
use crate::report::{Report, Row};
use crate::rounds::{Median, Scenario, compare_all};
use crate::site::{OWN_TOKENS, PREFIX, READS, Site};

/// What a row says of limits.
pub const RAISED: &str = "reads-per-second raised";

/// The medians of one door.
struct AtDoor {
    ping: Median,
    pipe: Median,
    library: Median,
    by_hand: Median,
    validate: Median,
}

/// Measures all of it.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    for site in [Some(&mut bench.small), Some(&mut bench.big), bench.huge.as_mut()].into_iter().flatten() {
        site.restart(&[READS]);
    }
    let _pinned = pin(bench);
    let mut scenarios = Vec::new();
    for door in Door::ALL {
        scenarios.extend(at_door(bench, door));
    }
    scenarios.push(Scenario::new("private: Get, 1,000 tokens", bench.small.get(ALICE, Door::Socket).pinned()));
    let echo = Load::new(bench.programs.path("socket"), ALICE, &[&bench.floor.echo.place]);
    scenarios.push(Scenario::new("raw Unix socket, 64 bytes", echo.pinned()));
    let huge = bench.huge.as_ref().map(|huge| huge.get(ALICE, Door::Socket).pinned());
    scenarios.extend(huge.map(|load| Scenario::new("private: Get, 1,000,000 tokens", load)));
    for keyring in &bench.keyrings.running {
        let lookup = keyring.lookup(&bench.programs).pinned();
        scenarios.push(Scenario::new(format!("{}: libsecret lookup, 1,000 items", keyring.name), lookup));
    }
    let medians = compare_all(report, &scenarios.iter().collect::<Vec<_>>());

    let mut medians = medians.into_iter();
    let mut next = || medians.next().expect("a median for every scenario");
    let [private, on_bus] = Door::ALL.map(|_| {
        let ping = next();
        let _own_ping = next();
        let [pipe, by_hand, library, validate] = std::array::from_fn(|_| next());
        AtDoor { ping, pipe, library, by_hand, validate }
    });
    let (small, _echo) = (next(), next());
    let huge = bench.huge.is_some().then(&mut next);
    let keyrings: Vec<Median> = bench.keyrings.running.iter().map(|_| next()).collect();
    judge_doors(report, &private, &on_bus);
    judge_validate(report, &private, &on_bus);
    judge_growth(report, &private, small, huge);
    judge_keyrings(bench, report, [&private, &on_bus], &keyrings);
}

fn pin(bench: &mut Bench) -> Pinned {
    let mut servers =
        Vec::from([&bench.floor.socket, &bench.floor.bus, &bench.floor.echo].map(|floor| floor.process.id()));
    servers.extend(bench.small.processes());
    servers.extend(bench.big.processes());
    servers.extend(bench.huge.as_mut().map(Site::processes).into_iter().flatten());
    servers.extend(bench.keyrings.running.iter().flat_map(|keyring| keyring.processes()));
    Pinned::new(servers)
}

/// What is compared at a door, in the order it is taken apart again.
fn at_door(bench: &Bench, door: Door) -> Vec<Scenario> {
    let loads = [
        ("bare Ping", floor_call(bench, door, "ping")),
        ("bare Ping of the vault", vault_call(bench, door, &["ping", "/org/tokenvault1"])),
        ("pipe Ping", floor_call(bench, door, "pipe")),
        ("Get, sd-bus", sd_bus_get(bench, door)),
        ("Get, libtokenvault", bench.big.get(ALICE, door)),
        ("Validate, libtokenvault", bench.big.validate(ALICE, door)),
    ];
    let pinned = |(name, load): (&str, Load)| Scenario::new(format!("{}: {name}", name_of(door)), load.pinned());
    loads.into_iter().map(pinned).collect()
}

/// A call of the floor service at a door of its own, or on the same bus.
pub fn floor_call(bench: &Bench, door: Door, call: &str) -> Load {
    let (address, destination) = match door {
        Door::Socket => (format!("unix:path={}", bench.floor.socket.place), "-"),
        Door::Bus => (bench.floor.bus.place.clone(), floor::NAME),
    };
    let words = [&address, destination, call, floor::PATH, &VALUE_BYTES.to_string()];
    Load::new(bench.programs.path("dbus"), ALICE, &words)
}

/// `Get` of the vault made with sd-bus.
pub fn sd_bus_get(bench: &Bench, door: Door) -> Load {
    vault_call(bench, door, &["get", PREFIX, &OWN_TOKENS.to_string(), &VALUE_BYTES.to_string()])
}

fn vault_call(bench: &Bench, door: Door, call: &[&str]) -> Load {
    let (address, destination) = bench.big.wire(door);
    Load::new(bench.programs.path("dbus"), ALICE, &[&[address.as_str(), destination], call].concat())
}

/// A door as the table names it.
pub fn name_of(door: Door) -> &'static str {
    match door {
        Door::Socket => "private",
        Door::Bus => "bus",
    }
}

fn judge_doors(report: &mut Report, private: &AtDoor, on_bus: &AtDoor) {
    let bounds = [("private door", private, 1.4, 2.6, 1.3), ("system bus", on_bus, 1.25, 1.6, 1.15)];
    for (door, at, of_pipe, of_ping, of_sd_bus) in bounds {
        let get = || Row::new(format!("Get, {door}, C client")).ours(at.library.p50, "us").note(RAISED);
        report.row(get().over("pipe Ping", at.pipe.p50).bound(AtMost(of_pipe)));
        report.row(get().over("bare Ping", at.ping.p50).bound(AtMost(of_ping)));
        let library = Row::new(format!("libtokenvault against sd-bus, {door}")).ours(at.library.p50, "us");
        report.row(library.over("the same Get by sd-bus", at.by_hand.p50).bound(AtMost(of_sd_bus)));
        let by_hand = Row::new(format!("Get, {door}, sd-bus client")).ours(at.by_hand.p50, "us");
        report.row(by_hand.over("pipe Ping", at.pipe.p50));
    }
    let tail = Row::new("Get, private door: p99").ours(private.library.p99, "us");
    report.row(tail.over("its own p50", private.library.p50).bound(AtMost(3.0)));
    let doors = Row::new("Get, private door against bus door").ours(private.library.p50, "us");
    report.row(doors.over("bus", on_bus.library.p50).bound(AtMost(0.65)));
}

fn judge_validate(report: &mut Report, private: &AtDoor, on_bus: &AtDoor) {
    let row = |door: &str, at: &AtDoor| {
        let row = Row::new(format!("Validate, {door}, C client")).ours(at.validate.p50, "us").note(RAISED);
        row.over("Get", at.library.p50)
    };
    report.row(row("private door", private).bound(AtMost(1.3)));
    report.row(row("system bus", on_bus));
}

fn judge_growth(report: &mut Report, private: &AtDoor, small: Median, huge: Option<Median>) {
    let row = Row::new("Get growth, 1,000 -> 100,000 tokens").ours(private.library.p50, "us");
    report.row(row.over("1,000", small.p50).bound(AtMost(1.15)));
    let row = Row::new("Get growth, 1,000 -> 1,000,000 tokens").bound(AtMost(1.3));
    report.row(match huge {
        Some(huge) => row.ours(huge.p50, "us").over("1,000", small.p50),
        None => row.note("not measured: 'make bench FULL=1' does, and takes minutes more"),
    });
}

fn judge_keyrings(bench: &Bench, report: &mut Report, [private, on_bus]: [&AtDoor; 2], keyrings: &[Median]) {
    for (keyring, lookup) in bench.keyrings.running.iter().zip(keyrings) {
        for (door, at, bound) in [("private door", private, 15.0), ("system bus", on_bus, 8.0)] {
            let row = Row::new(format!("Get, {door}, against {} with libsecret", keyring.name));
            let row = row.ours(at.library.p50, "us").faster_than(keyring.name, lookup.p50);
            report.row(row.bound(AtLeast(bound)));
        }
    }
    for (name, why) in &bench.keyrings.absent {
        report.row(Row::new(format!("Get against {name} with libsecret")).note(format!("not measured: {why}")));
    }
}
