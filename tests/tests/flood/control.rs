//! What the vault is held against where others make a second user wait as well, whoever is attacked.

use std::hint;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokenvault_tests::{BOB, Door, Vault, Wire, floor, pipe};
use tokio::sync::Notify;

use crate::measure::Siege;

/// A service that does next to nothing, on the bus of the vault, and the second user who asks it for its value.
pub struct FloorService {
    second: Wire,
    leave: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl FloorService {
    /// Starts it.
    pub fn beside(vault: &Vault) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connection = runtime.block_on(floor::serve_on_bus(&vault.bus_address())).expect("the floor service");
        let leave = Arc::new(Notify::new());
        let told = Arc::clone(&leave);
        let thread = thread::spawn(move || {
            runtime.block_on(told.notified());
            drop(connection);
        });
        Self { second: vault.wire(BOB, Door::Bus).to_floor(), leave, thread: Some(thread) }
    }

    /// The second user has the value.
    pub fn ask(&self) {
        let reply = self.second.call(floor::INTERFACE, "Pipe", &()).expect("the floor service refuses");
        let value: zbus::OwnedFd = reply.body().deserialize().expect("a pipe");
        assert_eq!(pipe::read_all(OwnedFd::from(value)).len(), floor::VALUE_BYTES);
    }
}

impl Drop for FloorService {
    fn drop(&mut self) {
        self.leave.notify_one();
        // A panic of its own it has told already.
        self.thread.take().map(JoinHandle::join);
    }
}

/// Takes as much of the processors as a user can who has nothing to do with the vault, in `threads` threads.
pub fn compute(siege: &Siege, threads: usize) {
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while siege.goes_on() {
                    hint::spin_loop();
                }
            });
        }
        siege.begin();
    });
}
