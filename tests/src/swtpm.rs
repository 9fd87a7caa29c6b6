//! A software TPM: one process, one state directory, two ports of 127.0.0.1, per value.
//!
//! [`Swtpm::reserve`] takes the ports and keeps them for the life of the value, so that the address stays good over any
//! number of [`Swtpm::start`], [`Swtpm::stop`] and [`Swtpm::cut`]. The process is killed and reaped on drop; the state
//! directory belongs to whoever made the directory it lies in. It serves one connection at a time: a second one waits.
//!
//! What a test does to the chip goes over the wire as plain TPM commands, so that no TPM software is needed for it.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use nix::sys::signal::Signal;

use crate::process::Process;
use crate::wait;

/// Ports are taken in steps of four from here on, below those the kernel hands out by itself.
const FIRST_PORT: u16 = 20_000;
const PORT_STEP: u16 = 4;
const PORT_SLOTS: u16 = 3_000;

/// TPM 2.0 Library, Part 2: command codes, handles, response codes.
const TPM_CC_CLEAR: u32 = 0x126;
const TPM_CC_NV_DEFINE_SPACE: u32 = 0x12a;
const TPM_CC_STARTUP: u32 = 0x144;
const TPM_CC_SHUTDOWN: u32 = 0x145;
const TPM_CC_NV_READ: u32 = 0x14e;
const TPM_CC_PCR_EXTEND: u32 = 0x182;
const TPM_RH_OWNER: u32 = 0x4000_0001;
const TPM_RH_PLATFORM: u32 = 0x4000_000c;
const TPM_RC_INITIALIZE: u32 = 0x100;
const TPM_RC_LOCKOUT: u32 = 0x921;

/// A TPM of one machine.
#[derive(Debug)]
pub struct Swtpm {
    directory: PathBuf,
    port: u16,
    // Listening on a third port keeps other tests of this machine off the other two.
    _reservation: TcpListener,
    process: Option<Process>,
}

impl Swtpm {
    /// A chip that is switched off, with its state in `directory`, which is made. A new directory is a new chip.
    pub fn reserve(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("state")).expect("the directory of a TPM");
        let (port, reservation) = reserve_ports();
        Self { directory: directory.into(), port, _reservation: reservation, process: None }
    }

    /// The way to it, for `[tpm] tcti` and for `TPM2TOOLS_TCTI`.
    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// The port of its command channel; the control channel has the next one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Switches it on and waits until it answers.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "the TPM is on already");
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "startup-clear,not-need-init"])
            .arg("--tpmstate")
            .arg(format!("dir={}", self.directory.join("state").display()))
            .arg("--log")
            .arg(format!("file={},level=1", self.directory.join("swtpm.log").display()))
            .args(["--server", &format!("type=tcp,port={},bindaddr=127.0.0.1", self.port)])
            .args(["--ctrl", &format!("type=tcp,port={},bindaddr=127.0.0.1", self.port + 1)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("swtpm must be installed");
        self.process = Some(Process::adopt(child));
        wait::until("swtpm to listen", || {
            let listens = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            (listens(self.port) && listens(self.port + 1)).then_some(())
        });
        // It was started up by its flag already; the answer shows that it is past that.
        assert_eq!(self.command(TPM_CC_STARTUP, &[], &[0, 0]), TPM_RC_INITIALIZE);
    }

    /// Switches it off as an orderly machine does.
    pub fn stop(&mut self) {
        assert_eq!(self.command(TPM_CC_SHUTDOWN, &[], &[0, 0]), 0, "TPM2_Shutdown");
        self.end(Signal::SIGTERM);
    }

    /// Cuts its power.
    pub fn cut(&mut self) {
        self.end(Signal::SIGKILL);
    }

    /// Stops and starts it: PCRs are back at zero, sessions gone.
    pub fn reboot(&mut self) {
        self.stop();
        self.start();
    }

    /// `TPM2_Clear`, as the firmware setup does it: owner keys and owner NV are gone for good.
    pub fn clear(&self) {
        assert_eq!(self.command(TPM_CC_CLEAR, &[TPM_RH_PLATFORM], &[]), 0, "TPM2_Clear");
    }

    /// Puts another chip in its place, at the same address.
    pub fn wipe(&mut self) {
        self.stop();
        fs::remove_dir_all(self.directory.join("state")).expect("the state of a TPM");
        fs::create_dir(self.directory.join("state")).expect("the state of a TPM");
        self.start();
    }

    /// Changes a PCR of the SHA-256 bank, as booting something else does.
    pub fn extend_pcr(&self, pcr: u32) {
        let mut event = vec![0, 0, 0, 1, 0x00, 0x0b];
        event.extend([0x5a; 32]);
        assert_eq!(self.command(TPM_CC_PCR_EXTEND, &[pcr], &event), 0, "TPM2_PCR_Extend");
    }

    /// Brings it into dictionary-attack lockout, with wrong passwords for an NV index made for that.
    pub fn lock_out(&self) {
        const INDEX: u32 = 0x0180_0099;
        const AUTH_READ_AND_WRITE: u32 = 0x0004_0004;
        let mut public = vec![0, 1, b'x', 0, 14];
        public.extend(INDEX.to_be_bytes());
        public.extend([0x00, 0x0b]);
        public.extend(AUTH_READ_AND_WRITE.to_be_bytes());
        public.extend([0, 0, 0, 8]);
        assert_eq!(self.command(TPM_CC_NV_DEFINE_SPACE, &[TPM_RH_OWNER], &public), 0, "TPM2_NV_DefineSpace");
        wait::until("lockout", || {
            let code = self.command(TPM_CC_NV_READ, &[INDEX, INDEX], &[0, 8, 0, 0]);
            (code == TPM_RC_LOCKOUT).then_some(())
        });
    }

    /// Sends a command; its response code. With handles, the first is authorised by an empty password.
    pub fn command(&self, code: u32, handles: &[u32], parameters: &[u8]) -> u32 {
        const NO_SESSIONS: [u8; 2] = [0x80, 0x01];
        const SESSIONS: [u8; 2] = [0x80, 0x02];
        const EMPTY_PASSWORD: [u8; 13] = [0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0];
        let mut body: Vec<u8> = code.to_be_bytes().into();
        body.extend(handles.iter().flat_map(|handle| handle.to_be_bytes()));
        if !handles.is_empty() {
            body.extend(EMPTY_PASSWORD);
        }
        body.extend(parameters);
        let mut message = if handles.is_empty() { NO_SESSIONS } else { SESSIONS }.to_vec();
        message.extend(u32::try_from(body.len() + 6).expect("a short command").to_be_bytes());
        message.extend(body);

        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("the TPM is off");
        stream.set_read_timeout(Some(wait::PATIENCE)).expect("a deadline");
        stream.write_all(&message).expect("sending a TPM command");
        let mut header = [0; 10];
        stream.read_exact(&mut header).expect("the TPM's answer");
        let [_, _, len @ .., c0, c1, c2, c3] = header;
        let rest = usize::try_from(u32::from_be_bytes(len)).expect("a length") - header.len();
        stream.read_exact(&mut vec![0; rest]).expect("the rest of the TPM's answer");
        u32::from_be_bytes([c0, c1, c2, c3])
    }

    fn end(&mut self, signal: Signal) {
        let mut process = self.process.take().expect("the TPM is off");
        process.signal(signal);
        process.wait(wait::PATIENCE).expect("swtpm should have ended");
    }
}

/// A free port for commands with a free one after it, and the listener that reserves both.
fn reserve_ports() -> (u16, TcpListener) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Different processes begin at different places; the listener settles it where they meet.
    let start = u16::try_from(std::process::id() % u32::from(PORT_SLOTS)).expect("below PORT_SLOTS");
    for _ in 0..PORT_SLOTS {
        let slot = (start + NEXT.fetch_add(1, Ordering::Relaxed) % PORT_SLOTS) % PORT_SLOTS;
        let port = FIRST_PORT + slot * PORT_STEP;
        let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        if let Ok(reservation) = listen(port + 2)
            && listen(port).is_ok()
            && listen(port + 1).is_ok()
        {
            return (port, reservation);
        }
    }
    panic!("no free ports from {FIRST_PORT} on");
}
