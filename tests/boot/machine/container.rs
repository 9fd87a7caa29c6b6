//! One container with systemd as its first process, under process and mount namespaces of its own: whatever happens, all of
//! it ends with the one process that holds them.
//!
//! The tree it boots from stays as it is; what changes is in a directory of the container, which goes with it.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokenvault_tests::notify::Notifications;
use tokenvault_tests::process::Process;
use tokenvault_tests::wait;

/// How long a boot or a stop may take, on a machine that has other work as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// Mounts the tree, shows nothing but version 2 of the control groups, enters a control group of its own, and boots until the
/// container is switched off. 133 asks for a reboot.
const SUPERVISOR: &str = r#"
set -e
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$PLACE/upper,workdir=$PLACE/work" "$PLACE/root"
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$NAME"
echo $$ >"/sys/fs/cgroup/$NAME/cgroup.procs"
status=133
while [ $status = 133 ]; do
    status=0
    systemd-nspawn --quiet --directory="$PLACE/root" "$@" || status=$?
done
exit $status
"#;

/// Takes away what is left of that control group.
const CLEAN: &str = r#"
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec find "/sys/fs/cgroup/$NAME" -depth -type d -exec rmdir {} +
"#;

/// What makes it a machine like any other. Without bpf(2) its systemd could not enforce IPAddressDeny= and DevicePolicy=,
/// and without Landlock the daemon would do with the sandbox of its unit.
const NSPAWN: [&str; 11] = [
    "--boot",
    "--register=no",
    "--keep-unit",
    "--private-network",
    "--console=read-only",
    "--system-call-filter=@keyring bpf landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    "--capability=CAP_IPC_LOCK",
    "--resolv-conf=off",
    "--timezone=off",
    "--link-journal=no",
    "--notify-ready=yes",
];

/// What the first process of the container does not have either. A command that enters must not be able to set the clock of
/// the machine that runs the tests.
const NO_CAPABILITIES: &str = "--bounding-set=-sys_module,-sys_rawio,-sys_pacct,-sys_time,-syslog,-wake_alarm,\
    -block_suspend,-mac_admin,-mac_override,-audit_read,-perfmon,-bpf,-checkpoint_restore";

/// A running container; everything in it is killed when it is dropped.
#[derive(Debug)]
pub struct Container {
    name: String,
    supervisor: Process,
    leader: u32,
    notify: Notifications,
}

impl Container {
    /// Boots from the layers `lower`, the uppermost first, and keeps what changes in `place`. With a TPM's device file,
    /// that is the container's TPM.
    pub fn boot(place: &Path, lower: &[PathBuf], tpm: Option<&Path>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        for part in ["upper", "work", "root"] {
            fs::create_dir_all(place.join(part)).expect("a directory of the machine");
        }
        fs::remove_file(place.join("notify")).ok();
        let notify = Notifications::listen(place).expect("the notification socket");
        let name = format!("vault-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let console = fs::File::create(place.join("console")).expect("the console of the machine");
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation=slave", "--pid", "--fork", "--mount-proc", "--kill-child"])
            .args(["bash", "-c", SUPERVISOR, "supervisor"])
            .args(NSPAWN)
            .args([format!("--machine={name}"), format!("--hostname={name}")])
            .env("LOWER", lower.iter().map(|layer| layer.to_str().unwrap()).collect::<Vec<_>>().join(":"))
            .env("NAME", &name)
            .env("PLACE", place)
            .env("NOTIFY_SOCKET", notify.path())
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            .stdin(Stdio::null())
            .stdout(console.try_clone().expect("a second handle of the console"))
            .stderr(console);
        if let Some(tpm) = tpm {
            command.arg(format!("--bind={}:/dev/tpmrm0", tpm.display()));
        }
        let supervisor = Process::adopt(command.spawn().expect("unshare (package util-linux)"));
        let mut container = Self { name, supervisor, leader: 0, notify };
        container.wait_for_boot(place);
        container
    }

    /// A command line that runs a program in the container, at once and outside of any of its units.
    pub fn enter(&self, words: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--inh-caps=-all", NO_CAPABILITIES])
            .args(["nsenter", "-t", &self.leader.to_string()])
            .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--"])
            .args(words)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8");
        command
    }

    /// Waits until a reboot that was asked for is through.
    pub fn wait_for_reboot(&mut self, place: &Path) {
        self.wait_for_boot(place);
    }

    /// Waits until it has switched itself off.
    pub fn wait_for_end(mut self) {
        let status = self.supervisor.wait(PATIENCE).expect("the container does not switch itself off");
        assert!(status.success(), "the container ended with {status}");
    }

    fn wait_for_boot(&mut self, place: &Path) {
        let deadline = Instant::now() + PATIENCE;
        let mut started = false;
        loop {
            for said in self.notify.receive() {
                started |= said.starts_with("X_NSPAWN_LEADER_PID=");
                if said == "READY=1" && started {
                    self.leader =
                        find_leader(self.supervisor.id()).expect("a container that is ready has a first process");
                    return;
                }
            }
            let event = wait::for_any(&[self.notify.event(), self.supervisor.exit_event().as_fd()], deadline);
            assert!(event.is_some() && self.supervisor.is_running(), "no boot: {}", tail(&place.join("console")));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The end of the first process of a namespace is the end of all of them, and the supervisor waits for that.
        if let [first] = children(self.supervisor.id())[..] {
            kill(Pid::from_raw(i32::try_from(first).unwrap()), Signal::SIGKILL).ok();
            self.supervisor.wait(PATIENCE);
        }
        Command::new("unshare").args(["--mount", "sh", "-c", CLEAN]).env("NAME", &self.name).status().ok();
    }
}

/// The process below `parent` that is the first one two process namespaces further in.
fn find_leader(parent: u32) -> Option<u32> {
    children(parent).into_iter().find_map(|child| {
        let status = fs::read_to_string(format!("/proc/{child}/status")).ok()?;
        let ids = status.lines().find(|line| line.starts_with("NSpid:"))?;
        let ids: Vec<&str> = ids.split_whitespace().skip(1).collect();
        if ids.len() > 2 && ids.last() == Some(&"1") { Some(child) } else { find_leader(child) }
    })
}

fn children(parent: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    list.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

/// The end of a log.
pub fn tail(file: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
