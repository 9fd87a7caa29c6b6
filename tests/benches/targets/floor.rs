//! The floors under a `Get`: a D-Bus service that does nothing but hand over a pipe that holds a value, and a socket that
//! echoes. Each is a process of its own, as the daemon is.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokenvault_tests::floor::{Floor, serve_on_bus};
pub use tokenvault_tests::floor::{NAME, PATH, VALUE_BYTES};
use tokenvault_tests::process::Process;
use zbus::connection::Builder;

use crate::role;

/// The running floors.
pub struct Floors {
    /// At a socket of its own.
    pub socket: Server,
    /// On the bus of the vault.
    pub bus: Server,
    /// The echo.
    pub echo: Server,
}

/// One of them.
pub struct Server {
    /// Socket path or bus address.
    pub place: String,
    /// Ends with this.
    pub process: Process,
}

impl Floors {
    /// Starts all of them.
    pub fn start(directory: &Path, bus: String) -> Self {
        let path = |name: &str| directory.join(name).to_str().expect("a UTF-8 path").to_owned();
        Self {
            socket: Server::start("socket-floor", path("floor")),
            bus: Server::start("bus-floor", bus),
            echo: Server::start("echo", path("echo")),
        }
    }
}

impl Server {
    fn start(name: &str, place: String) -> Self {
        let mut child = Command::new(this_program())
            .args([role::WORD, name, &place])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program again");
        let mut said = child.stdout.take().expect("a piped stdout");
        let process = Process::adopt(child);
        let mut ready = [0];
        said.read_exact(&mut ready).unwrap_or_else(|error| panic!("{name} did not start: {error}"));
        Self { place, process }
    }
}

/// This program.
pub fn this_program() -> PathBuf {
    std::env::current_exe().expect("the path of this program")
}

fn say_ready() {
    println!(".");
    std::io::stdout().flush().expect("standard output");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Serves at a socket, to everyone, until the end.
pub fn serve_socket(path: &str) {
    runtime().block_on(async {
        let listener = tokio::net::UnixListener::bind(path).expect("a socket");
        open_to_everyone(path);
        say_ready();
        loop {
            let (stream, _) = listener.accept().await.expect("accept");
            let stream = stream.into_std().expect("a plain socket");
            tokio::spawn(async move {
                let guid = zbus::Guid::generate();
                let builder = Builder::unix_stream(stream).server(guid).p2p().serve_at(PATH, Floor);
                let connection = builder.build().await.expect("a connection");
                connection.closed().await;
            });
        }
    });
}

/// Serves on a bus until the end.
pub fn serve_bus(address: &str) {
    runtime().block_on(async {
        let connection = serve_on_bus(address).await.expect("a connection to the bus");
        say_ready();
        connection.closed().await;
    });
}

/// Sends back what comes, one thread for each caller.
pub fn echo(path: &str) {
    let listener = UnixListener::bind(path).expect("a socket");
    open_to_everyone(path);
    say_ready();
    for stream in listener.incoming() {
        let mut stream = stream.expect("accept");
        std::thread::spawn(move || {
            let mut message = [0; 64];
            while stream.read_exact(&mut message).is_ok() && stream.write_all(&message).is_ok() {}
        });
    }
}

fn open_to_everyone(path: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).expect("the mode of a socket");
}
