//! A restart of the service is not noticed by those it serves.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::Command;

use tokenvault_tests::program;

use crate::common::*;

/// The two sockets, by what tells one file from another.
fn sockets(machine: &Machine) -> String {
    machine.root("stat --format '%n %i %U:%G %a %W' /run/tokenvault/bus /run/tokenvault/credentials").succeeds()
}

/// Compiles a program with the packaged header and library.
fn compile(source: &str) -> PathBuf {
    let place = tempfile::tempdir_in(site::directory()).unwrap().keep();
    for package in site::packages() {
        let unpacked = Command::new("dpkg-deb").arg("--extract").args([&package, &place]).status().unwrap();
        assert!(unpacked.success(), "{}", package.display());
    }
    let output = place.join("client");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-I"]).arg(place.join("usr/include"));
    gcc.arg("-o").arg(&output).arg(program::source_root().join("tests/c").join(source));
    for directory in ["usr/lib".to_owned(), format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH)] {
        gcc.arg("-L").arg(place.join(directory));
    }
    gcc.arg("-ltokenvault");
    assert!(gcc.status().unwrap().success(), "{gcc:?}");
    output
}

#[test]
fn both_sockets_stay_over_a_restart() {
    let machine = serving();
    let before = sockets(&machine);
    let modes: Vec<_> =
        before.lines().map(|line| line.split(' ').skip(2).take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(modes, ["root:root 666", "root:root 600"]);
    machine.root(&format!("systemctl restart {SERVICE}")).succeeds();
    assert_eq!(sockets(&machine), before);
}

#[test]
fn a_call_that_comes_while_the_service_is_down_waits_for_it() {
    let machine = serving();
    machine.put(ALICE, "api/key", "waited for");
    machine.write("/run/systemd/system/tokenvaultd.service.d/slow.conf", "[Service]\nExecStartPre=+sleep 3\n");
    machine.root("systemctl daemon-reload").succeeds();
    for door in Door::ALL {
        machine.root(&format!("systemctl --no-block restart {SERVICE}")).succeeds();
        wait::until("a service that is down", || (machine.property(SERVICE, "SubState") == "start-pre").then_some(()));
        assert_eq!(machine.user(ALICE, &door.shell("tokenvault get api/key")).succeeds(), "waited for");
    }
}

#[test]
fn clients_that_were_connected_go_on_after_a_restart() {
    let machine = serving();
    machine.copy_in(&[compile("restarted.c")], "/opt");
    machine.root("chmod 755 /opt/client").succeeds();
    for door in Door::ALL {
        let mut client = machine.start_as(ALICE, &door.shell("exec /opt/client"));
        let (mut tell, hear) = (client.stdin.take().unwrap(), BufReader::new(client.stdout.take().unwrap()));
        let mut asked = 0;
        for line in hear.lines() {
            assert_eq!(line.unwrap(), "restart");
            asked += 1;
            machine.root(&format!("systemctl restart {SERVICE}")).succeeds();
            writeln!(tell, "done").unwrap();
        }
        assert!(client.wait().unwrap().success());
        assert_eq!(asked, 2);
    }
}
