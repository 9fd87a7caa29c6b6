//! Everything on one processor: then a figure is the work itself and not the time another one takes to wake.

use std::process::{Command, Stdio};
use std::thread::available_parallelism;

/// The processor measurements share: the last one, which has the least to do with the rest of the machine.
pub fn cpu() -> usize {
    available_parallelism().map_or(0, |count| count.get() - 1)
}

/// Servers that are kept on that processor, until this is dropped.
pub struct Pinned(Vec<u32>);

impl Pinned {
    /// Moves all threads of these processes, and those they will have.
    pub fn new(servers: impl IntoIterator<Item = u32>) -> Self {
        let servers: Vec<u32> = servers.into_iter().collect();
        for server in &servers {
            set(*server, &cpu().to_string());
        }
        Self(servers)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        for server in &self.0 {
            set(*server, &format!("0-{}", cpu()));
        }
    }
}

fn set(process: u32, cpus: &str) {
    // Fails for a process that has ended, which others notice.
    let mut command = Command::new("taskset");
    command.args(["-a", "-p", "-c", cpus, &process.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("taskset (package util-linux)");
}
