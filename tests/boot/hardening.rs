//! What the unit promises about the daemon's process, as the kernel sees it.

use crate::common::*;

/// Of 10, what `systemd-analyze security` may find at most, in tenths.
const EXPOSURE_MAX: &str = "10";

/// A line of the daemon's `/proc/PID/status`.
fn status_line(machine: &Machine, name: &str) -> String {
    let pid = machine.property(SERVICE, "MainPID");
    let line = machine.enter(&["grep", &format!("^{name}:"), &format!("/proc/{pid}/status")]).succeeds();
    line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

/// Whether the daemon has a file of that path in its view of the machine.
fn is_in_sight(machine: &Machine, path: &str) -> bool {
    let pid = machine.property(SERVICE, "MainPID");
    machine.enter(&["test", "-e", &format!("/proc/{pid}/root{path}")]).ok().is_some()
}

#[test]
fn the_daemon_has_no_privileges_and_cannot_gain_any() {
    let machine = serving();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status_line(&machine, set), "0000000000000000", "{set}");
    }
    assert_eq!(status_line(&machine, "NoNewPrivs"), "1");
    assert_eq!(status_line(&machine, "Seccomp"), "2", "a filter of system calls is in force");
    assert!(
        !machine.journal(SERVICE).contains("Landlock"),
        "the daemon has given up the file system, or says that it cannot"
    );
    let user = machine.enter(&["id", "-u", "tokenvault"]).succeeds();
    assert_eq!(status_line(&machine, "Uid"), [user.as_str(); 4].join(" "));
    let pid = machine.property(SERVICE, "MainPID");
    let limits = machine.enter(&["cat", &format!("/proc/{pid}/limits")]).succeeds();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(cores.split_whitespace().filter(|word| *word == "0").count() == 2, "{cores}");
}

#[test]
fn the_daemon_has_no_network() {
    let machine = serving();
    let pid = machine.property(SERVICE, "MainPID");
    let namespace = |pid: &str| machine.enter(&["readlink", &format!("/proc/{pid}/ns/net")]).succeeds();
    assert_ne!(namespace(&pid), namespace("1"));
    // Of a namespace of its own only the loopback, and that is down.
    let links = machine.enter(&["nsenter", "-t", &pid, "--net", "ip", "-oneline", "link"]).succeeds();
    assert_eq!(links.lines().count(), 1, "{links}");
    assert!(links.contains("lo:"), "{links}");
}

#[test]
fn the_daemon_writes_in_its_own_directory_alone() {
    let machine = serving();
    let pid = machine.property(SERVICE, "MainPID");
    // As root and through the daemon's view of the machine: what stands in the way is that view and no file mode.
    let write = |directory: &str| machine.root(&format!("f=/proc/{pid}/root{directory}/written && : >$f && rm $f"));
    // What ExecPaths= names is not among them: systemd 252 makes it executable or read-only, and the daemon's own user may not
    // write there either way.
    for directory in ["/", "/etc", "/opt", "/usr", "/usr/bin", "/usr/libexec", "/var", "/var/lib", "/var/spool"] {
        let said = write(directory).fails();
        assert!(said.contains("Read-only file system"), "{directory}: {said}");
    }
    write("/var/lib/tokenvault").succeeds();
}

#[test]
fn the_daemon_sees_nobodys_files_and_of_proc_only_processes() {
    let machine = serving();
    for path in ["/home/alice/public", "/root/public"] {
        machine.root(&format!("install -D -m 644 /dev/null {path}")).succeeds();
        assert!(!is_in_sight(&machine, path), "{path}");
    }
    assert!(!is_in_sight(&machine, "/proc/sys/kernel/hostname"));
    // The control: what everyone may see is seen in this way.
    assert!(is_in_sight(&machine, "/etc/passwd"));
    assert!(is_in_sight(&machine, "/proc/self"));
}

#[test]
fn the_daemon_is_told_which_boot_it_is_though_it_cannot_see_it() {
    let machine = serving();
    const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
    assert!(!is_in_sight(&machine, BOOT_ID));
    let pid = machine.property(SERVICE, "MainPID");
    let told = machine.root(&format!("tr '\\0' '\\n' </proc/{pid}/environ | sed -n s/^TOKENVAULT_BOOT_ID=//p"));
    assert_eq!(told.succeeds(), machine.enter(&["cat", BOOT_ID]).succeeds().replace('-', ""));
}

#[test]
fn the_unit_exposes_no_more_than_it_must() {
    let machine = serving();
    machine.root(&format!("systemd-analyze security --no-pager --threshold={EXPOSURE_MAX} {SERVICE}")).succeeds();
    let verified = machine.root(
        "systemd-analyze verify --man=no tokenvaultd.service tokenvaultd.socket tokenvault-credentials.socket 2>&1",
    );
    assert_eq!(verified.succeeds(), "");
}
