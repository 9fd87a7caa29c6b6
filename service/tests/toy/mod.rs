//! A toy behind the private door.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fast;
pub mod raw;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokenvaultd::door::{DoorLimits, Host, Peer, PrivateDoor, Welcome, bind};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use zbus::connection::Builder;
use zbus::{Connection, Variant, interface};

pub const PATH: &str = "/org/toy";
pub const INTERFACE: &str = "org.toy.Toy";

/// What the toy and its test share.
#[derive(Default)]
pub struct Shared {
    pub calls: AtomicUsize,
    pub silence_ms: AtomicU64,
    pub waiting: Notify,
    pub release: Arc<Notify>,
    /// Calls the fast path was asked to answer.
    pub asked: AtomicUsize,
    /// Whether the fast path may go on with what it holds.
    pub may_go: (Mutex<bool>, Condvar),
}

/// What stands behind the door.
struct House(Arc<Shared>);

impl Host for House {
    fn welcome(&self, peer: &Peer) -> Welcome {
        let toy = Toy { uid: peer.uid, shared: Arc::clone(&self.0) };
        let fast_path = Arc::new(fast::Fetches(Arc::clone(&self.0)));
        Welcome { fast_path: Some(fast_path), serve: Box::new(|builder| builder.serve_at(PATH, toy)) }
    }

    fn silence(&self, _uid: u32) -> Duration {
        Duration::from_millis(self.0.silence_ms.load(Ordering::SeqCst))
    }
}

struct Toy {
    uid: u32,
    shared: Arc<Shared>,
}

#[interface(name = "org.toy.Toy")]
impl Toy {
    async fn uid(&self) -> u32 {
        self.uid
    }

    async fn echo(&self, text: &str) -> String {
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        text.to_owned()
    }

    async fn pass(&self, fd: zbus::OwnedFd) -> zbus::OwnedFd {
        fd
    }

    async fn pipe(&self) -> zbus::OwnedFd {
        pipe_with("value").into()
    }

    /// A text in a pipe, and which way it came. The fast path answers it as well.
    async fn fetch(&self, text: &str) -> (zbus::OwnedFd, HashMap<&'static str, Variant<'static>>) {
        (pipe_with(text).into(), came("the ordinary way"))
    }

    /// A text of so many bytes.
    async fn say(&self, bytes: u32) -> String {
        "x".repeat(bytes as usize)
    }

    async fn wait(&self) {
        self.shared.waiting.notify_one();
        self.shared.release.notified().await;
    }
}

fn came(way: &'static str) -> HashMap<&'static str, Variant<'static>> {
    HashMap::from([("way", way.into())])
}

/// The read end of a pipe that holds a text.
fn pipe_with(text: &str) -> OwnedFd {
    let (read, mut write) = std::io::pipe().unwrap();
    write.write_all(text.as_bytes()).unwrap();
    read.into()
}

/// An open door with the toy behind it.
pub struct ToyDoor {
    dir: TempDir,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl ToyDoor {
    pub fn open(limits: DoorLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let socket = bind(&dir.path().join("bus"), 0o666).unwrap();
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared::default());
        let toy = Arc::clone(&shared);
        let door = PrivateDoor::new(socket, watch::channel(limits).1, stopped, Arc::new(House(toy)));
        let running = tokio::spawn(door.unwrap().run());
        Self { dir, shared, stop, running }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("bus")
    }

    pub fn address(&self) -> String {
        format!("unix:path={}", self.path().display())
    }

    pub async fn connect(&self) -> Connection {
        self.try_connect().await.unwrap()
    }

    pub async fn try_connect(&self) -> zbus::Result<Connection> {
        Builder::address(self.address().as_str()).p2p().build().await
    }

    /// Waits until there is a place for one more connection.
    pub async fn until_connected(&self) -> Connection {
        loop {
            if let Ok(connection) = self.try_connect().await {
                return connection;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Has every uid read no faster than a call in `silence`.
    pub fn slow_down(&self, silence: Duration) {
        self.shared.silence_ms.store(silence.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }

    pub fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }

    pub async fn until_somebody_waits(&self) {
        let waits = self.shared.waiting.notified();
        tokio::time::timeout(Duration::from_secs(20), waits).await.expect("somebody waits");
    }

    pub fn release(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.release)
    }

    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Has the fast path go on with what it holds.
    pub fn let_go(&self) {
        *self.shared.may_go.0.lock().unwrap() = true;
        self.shared.may_go.1.notify_all();
    }

    /// Tells the door to close.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub async fn close(self) {
        self.stop();
        self.running.await.unwrap();
    }

    /// What the toy says to uid 65534. Needs root.
    pub async fn uid_as_seen_by_nobody(&self) -> u32 {
        assert!(nix::unistd::geteuid().is_root(), "this test acts as another user: run it as root");
        let address = self.address();
        let output = tokio::task::spawn_blocking(move || {
            Command::new("dbus-send")
                .args(["--print-reply=literal", &format!("--peer={address}"), PATH, "org.toy.Toy.Uid"])
                .uid(65_534)
                .gid(65_534)
                .stdin(Stdio::null())
                .output()
                .unwrap()
        });
        let output = output.await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = text.split_whitespace().last().and_then(|word| word.parse().ok());
        last.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// Output of a client program, or its complaint.
pub fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Memory of this process, in bytes.
pub fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}

/// Sends a text to the toy in a pipe, and reads the pipe that comes back.
pub async fn pass(client: &Connection, text: &str) -> String {
    let fd = zbus::Fd::from(pipe_with(text));
    let reply = client.call_method(None::<()>, PATH, Some(INTERFACE), "Pass", &fd).await.unwrap();
    let back: zbus::OwnedFd = reply.body().deserialize().unwrap();
    let mut text = String::new();
    File::from(OwnedFd::from(back)).read_to_string(&mut text).unwrap();
    text
}
