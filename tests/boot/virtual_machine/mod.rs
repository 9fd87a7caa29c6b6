//! A virtual machine with a kernel and a TPM of its own: for what a container cannot show.
//!
//! Its processor is emulated, so a boot takes some ten seconds: few of them, and one machine at a time.

mod cases;
mod installed;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokenvault_tests::process::Process;
use tokenvault_tests::wait;

use crate::machine::Said;
use crate::site;

/// How long anything may take where the processor is emulated. The daemon looks for a TPM that was not there every 30 s.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// What a machine says on its console when everything is up; by `tests/boot/image`.
const UP: &str = "the machine is up";

/// A running virtual machine; its power is cut when it is dropped.
#[derive(Debug)]
pub struct VirtualMachine {
    qemu: Option<Process>,
    tpm: Option<Process>,
    port: u16,
    place: TempDir,
}

impl VirtualMachine {
    /// Boots from a copy of a disk, with a TPM that has a copy of that state.
    pub fn boot(disk: &Path, tpm_state: Option<&Path>) -> Self {
        let place = tempfile::Builder::new().prefix("virtual.").tempdir_in(site::directory()).expect("a directory");
        copy(disk, &place.path().join("disk"));
        if let Some(state) = tpm_state {
            copy(state, &place.path().join("tpm"));
        }
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("its number").port();
        drop(free);
        let mut machine = Self { qemu: None, tpm: None, port, place };
        machine.start("tpm");
        machine
    }

    /// Switches it on, with the TPM of that name; a new name is a new chip. Returns when it is up.
    pub fn start(&mut self, tpm: &str) {
        let control = self.path("tpm.control");
        fs::create_dir_all(self.path(tpm)).expect("the directory of a TPM");
        fs::remove_file(&control).ok();
        let swtpm = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "startup-clear", "--terminate", "--tpmstate"])
            .arg(format!("dir={}", self.path(tpm).display()))
            .arg("--ctrl")
            .arg(format!("type=unixio,path={}", control.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.tpm = Some(Process::adopt(swtpm.expect("swtpm must be installed")));
        wait::until("swtpm to listen", || control.exists().then_some(()));
        fs::write(self.path("console"), "").expect("the console");
        self.qemu = Some(Process::adopt(self.qemu().spawn().expect("qemu (package qemu-system-x86)")));
        self.wait_until_up();
    }

    /// Switches it off in order.
    pub fn stop(&mut self) {
        // The machine may take the connection down before it has answered; that it ends is what counts.
        let _cut_off = self.root("systemctl --no-block poweroff").ok();
        self.qemu.take().expect("the machine is off").wait(PATIENCE).expect("the machine does not switch itself off");
        self.tpm.take().expect("a TPM").wait(PATIENCE).expect("the TPM goes with its machine");
    }

    /// Cuts the power, also of the TPM.
    pub fn cut(&mut self) {
        for mut process in [self.qemu.take().expect("the machine is off"), self.tpm.take().expect("a TPM")] {
            process.signal(Signal::SIGKILL);
            process.wait(PATIENCE).expect("SIGKILL");
        }
    }

    /// Runs a shell command as root.
    pub fn root(&self, command: &str) -> Said {
        self.root_reading("", command)
    }

    /// The same with text to read.
    pub fn root_reading(&self, input: &str, command: &str) -> Said {
        Said::by(self.shell(command), input)
    }

    /// Runs a shell command as a user.
    pub fn user_reading(&self, (name, _): (&str, &str), input: &str, command: &str) -> Said {
        self.root_reading(input, &format!("runuser -u {name} -- sh -c '{command}'"))
    }

    /// A command line that runs a shell command as root.
    pub fn shell(&self, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        let key = site::directory().join("image/key");
        ssh.args(["-q", "-p", &self.port.to_string(), "-i"]).arg(key);
        for option in
            ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=60", "LogLevel=ERROR"]
        {
            ssh.args(["-o", option]);
        }
        // The first connection stays, and the others go through it: a handshake takes long on an emulated processor.
        ssh.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=300", "-o"]);
        ssh.arg(format!("ControlPath={}", self.path("ssh").display()));
        ssh.args(["root@127.0.0.1", command]);
        ssh
    }

    /// Puts a file into a directory.
    pub fn copy_in(&self, file: &Path, directory: &str) {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name of a file");
        let mut command = self.shell(&format!("mkdir -p {directory} && cat >{directory}/{name}"));
        let status = command.stdin(fs::File::open(file).expect("a file to copy")).status().expect("ssh");
        assert!(status.success(), "copying {}: {status}", file.display());
    }

    /// A file of this machine.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Keeps its files. It must be off.
    pub fn keep(mut self) -> PathBuf {
        assert!(self.qemu.is_none(), "the machine is on");
        self.place.disable_cleanup(true);
        self.place.path().into()
    }

    fn qemu(&self) -> Command {
        let image = site::directory().join("image");
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024"]);
        qemu.args(["-no-reboot", "-nodefaults", "-no-user-config", "-display", "none", "-kernel"])
            .arg(image.join("kernel"));
        qemu.arg("-initrd").arg(image.join("initrd"));
        qemu.args([
            "-append",
            "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet loglevel=3 mitigations=off panic=-1",
        ]);
        qemu.arg("-serial").arg(format!("file:{}", self.path("console").display()));
        qemu.arg("-drive").arg(format!("if=none,id=disk,format=raw,file={}", self.path("disk").display()));
        qemu.args(["-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci", "-netdev"]);
        qemu.arg(format!("user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{}-:22", self.port));
        qemu.args(["-device", "virtio-net-pci,netdev=net,romfile=", "-chardev"]);
        qemu.arg(format!("socket,id=tpm,path={}", self.path("tpm.control").display()));
        qemu.args(["-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm0"]);
        let log = fs::File::create(self.path("qemu.log")).expect("the log of qemu");
        qemu.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        qemu
    }

    /// A connection that comes before the guest listens would be tried again only after many seconds.
    fn wait_until_up(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let qemu = self.qemu.as_ref().expect("the machine is off");
        while !fs::read_to_string(self.path("console")).unwrap_or_default().contains(UP) {
            // The console is a file, which announces nothing; the end of the machine is an event.
            let glance = Instant::now() + Duration::from_millis(100);
            let ended = wait::for_any(&[qemu.exit_event().as_fd()], glance).is_some();
            let console = fs::read_to_string(self.path("console")).unwrap_or_default();
            let log = fs::read_to_string(self.path("qemu.log")).unwrap_or_default();
            assert!(!ended && Instant::now() < deadline, "no boot: {console}{log}");
        }
        fs::remove_file(self.path("ssh")).ok();
        wait::until_within(PATIENCE, "an answer of sshd", || self.root("true").ok());
    }
}

/// Copies a file or a directory, with holes where there are zeros.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").args(["-a", "--sparse=always", "--reflink=auto"]).args([from, to]).status();
    assert!(status.expect("cp").success(), "copying {}", from.display());
}
