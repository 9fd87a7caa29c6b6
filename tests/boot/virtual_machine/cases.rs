//! The packages on a machine with a kernel's TPM.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::installed::{self, RECOVERY_KEY, TOKEN};
use super::{PATIENCE, VirtualMachine};
use crate::common::{ALICE, SERVICE, wait};

/// `Sealed`, by the table of exit statuses.
const SEALED: i32 = 6;
/// What the unit says the daemon may have at most, in bytes and in tasks.
const MEMORY_MAX: &str = "536870912";
const TASKS_MAX: &str = "128";
/// A unit that leaves what it was given.
const UNIT: &str = "[Service]\nType=oneshot\nLoadCredential=key:/run/tokenvault/credentials\n\
    ExecStart=cp ${CREDENTIALS_DIRECTORY}/key /run/app\n";
/// Writes before the power is cut: enough for several batches, checkpoints included.
const WRITES: u32 = 40;

impl VirtualMachine {
    /// Waits for a state of the vault.
    pub fn wait_for(&self, state: &str) -> String {
        wait::until_within(PATIENCE, &format!("state '{state}'"), || {
            let status = self.root("tokenvaultctl status --json=short").ok()?;
            status.contains(&format!("\"state\":\"{state}\"")).then_some(status)
        })
    }

    fn fetch(&self, name: &str) -> String {
        self.user_reading(ALICE, "", &format!("tokenvault get {name}")).succeeds()
    }

    fn property(&self, name: &str) -> String {
        self.root(&format!("systemctl show --value --property {name} {SERVICE}")).succeeds()
    }
}

#[test]
fn a_token_is_served_unattended_after_a_reboot_and_the_limits_of_the_unit_are_in_force() {
    let machine = installed::boot();
    assert_eq!(machine.fetch(TOKEN.0), TOKEN.1);
    assert!(machine.wait_for("serving").contains("\"protection\":\"tpm2\""));
    assert_eq!(machine.root("systemctl --failed --no-legend").succeeds(), "");
    machine.root("tokenvaultctl doctor").succeeds();
    // The kernel's control group has what the unit says, and the worker came through the list of devices.
    let group = format!("/sys/fs/cgroup{}", machine.property("ControlGroup"));
    let read = |file: &str| machine.root(&format!("cat {group}/{file}")).succeeds();
    assert_eq!(read("memory.max"), MEMORY_MAX);
    assert_eq!(read("memory.swap.max"), "0");
    assert_eq!(read("pids.max"), TASKS_MAX);
    assert_eq!(machine.property("DevicePolicy"), "closed");
    // ProtectClock= adds the clock, for reading.
    assert_eq!(machine.property("DeviceAllow"), "char-rtc r\nchar-tpm rw");
    // What the list leaves out is refused by the kernel, and what it has is not: the same unit, another program.
    let probe = |device: &str| {
        let properties =
            "-p DevicePolicy=closed -p 'DeviceAllow=char-tpm rw' -p SupplementaryGroups=tss -p User=tokenvault";
        machine.root(&format!("systemd-run --wait --pipe --quiet --collect {properties} sh -c ': <>{device}'"))
    };
    probe("/dev/tpmrm0").succeeds();
    machine.root("chmod 666 /dev/vda").succeeds();
    probe("/dev/vda").fails();
}

#[test]
fn a_daemon_that_runs_into_its_memory_limit_is_back_by_itself_with_everything() {
    let machine = installed::boot();
    machine.user_reading(ALICE, "kept", "tokenvault put limit/memory").succeeds();
    let allow = |most: &str| {
        machine.root(&format!("systemctl set-property --runtime {SERVICE} MemoryMax={most}")).succeeds();
    };
    // Less than it needs to run at all.
    allow("2M");
    wait::until_within(PATIENCE, "the kernel ends the daemon", || {
        let said = machine.root(&format!("journalctl --boot --unit {SERVICE} --output cat")).succeeds();
        said.contains("Failed with result 'oom-kill'").then_some(())
    });
    allow(MEMORY_MAX);
    machine.wait_for("serving");
    assert_eq!(machine.fetch("limit/memory"), "kept");
    assert_eq!(machine.fetch(TOKEN.0), TOKEN.1);
    assert_eq!(machine.property("ActiveState"), "active");
}

#[test]
fn every_acknowledged_write_is_there_after_a_power_cut() {
    let mut machine = installed::boot();
    let write =
        "for number in $(seq 1000); do printf $number | tokenvault put cut/$number >/dev/null && echo $number; done";
    machine.root_reading(write, "cat >/opt/write").succeeds();
    let mut writer = machine.shell("runuser -u alice -- sh /opt/write");
    let mut writer = writer.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut acknowledged = 0;
    for line in BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok) {
        acknowledged = line.parse().unwrap();
        if acknowledged == WRITES {
            machine.cut();
        }
    }
    writer.wait().unwrap();
    assert!(acknowledged >= WRITES, "{acknowledged}");
    machine.start("tpm");
    machine.wait_for("serving");
    let check = "for number in $(seq $1); do [ \"$(tokenvault get cut/$number)\" = $number ] || exit 1; done; tokenvault get api/key";
    machine.root_reading(check, "cat >/opt/check").succeeds();
    let kept = machine.root(&format!("runuser -u alice -- sh /opt/check {acknowledged}")).succeeds();
    assert_eq!(kept, TOKEN.1);
}

#[test]
fn a_machine_with_another_tpm_is_sealed_until_the_recovery_key_comes() {
    let mut machine = installed::boot();
    machine.stop();
    machine.start("another-tpm");
    assert!(machine.wait_for("sealed").contains("WrongTpm"));
    machine.user_reading(ALICE, "", &format!("tokenvault get {}", TOKEN.0)).fails_with(SEALED);
    machine.root(&format!("tokenvaultctl unseal --recovery --from-file {RECOVERY_KEY}")).succeeds();
    assert_eq!(machine.fetch(TOKEN.0), TOKEN.1);
}

#[test]
fn a_tpm_that_appears_late_opens_the_vault_then() {
    let machine = installed::boot();
    machine.root_reading(TOKEN.1, "tokenvault put key && tokenvault share key unit:app.service").succeeds();
    // As long as an emulated processor may take, instead of half of what systemd gives a unit.
    let wait =
        "mkdir -p /etc/tokenvault && printf '[limits]\\ncredential-seconds = 180\\n' >/etc/tokenvault/tokenvault.conf";
    machine.root(wait).succeeds();
    // The driver lets go of the chip: for everyone else there is none any more.
    let find = "basename \"$(readlink /sys/class/tpm/tpm0/device)\"; readlink -f /sys/class/tpm/tpm0/device/driver";
    let found = machine.root(find).succeeds();
    let (device, driver) = found.split_once('\n').expect("a device and its driver");
    machine
        .root(&format!("systemctl stop {SERVICE}; echo {device} >{driver}/unbind; test ! -e /dev/tpmrm0"))
        .succeeds();
    machine.root(&format!("systemctl start {SERVICE}")).succeeds();
    assert!(machine.wait_for("sealed").contains("NoTpm"));
    machine.root_reading(UNIT, "cat >/etc/systemd/system/app.service; systemctl daemon-reload").succeeds();
    machine.root("systemctl start --no-block app").succeeds();
    wait::until("a unit that waits for its credential", || {
        (machine.root("systemctl show --value --property ActiveState app").succeeds() == "activating").then_some(())
    });
    // While something holds the old number the kernel gives the chip another one: then it gets the name it had by a link.
    let bind = format!("echo {device} >{driver}/bind; test -e /dev/tpmrm0 || ln -s /dev/tpmrm[1-9] /dev/tpmrm0");
    machine.root(&bind).succeeds();
    machine.wait_for("serving");
    assert_eq!(machine.fetch(TOKEN.0), TOKEN.1);
    // The unit that came too early has its credential now.
    wait::until("the unit's credential", || machine.root("cat /run/app").ok().filter(|given| given == TOKEN.1));
}
