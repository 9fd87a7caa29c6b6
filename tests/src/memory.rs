//! Looks for bytes in the memory of a process.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::sys;

/// Where in its readable memory the process `pid` holds `needle`: one line of `/proc/PID/maps` for each region that does.
pub fn regions_that_hold(pid: u32, needle: &[u8]) -> Vec<String> {
    regions(pid, needle).into_iter().map(|(region, _)| region).collect()
}

/// How often the process `pid` holds `needle` in its readable memory.
pub fn copies(pid: u32, needle: &[u8]) -> usize {
    let count = |bytes: &[u8]| bytes.windows(needle.len()).filter(|window| *window == needle).count();
    regions(pid, needle).iter().map(|(_, bytes)| count(bytes)).sum()
}

/// The regions that hold `needle`, and their bytes.
fn regions(pid: u32, needle: &[u8]) -> Vec<(String, Vec<u8>)> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the process is gone");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("reading the memory of another process needs root");
    let mut searched = 0;
    let found = maps
        .lines()
        .filter_map(|line| {
            let bytes = read_region(&memory, line)?;
            searched += bytes.len();
            sys::find(&bytes, needle).then(|| (line.to_owned(), bytes))
        })
        .collect();
    assert!(searched > 100 * 1024, "only {searched} bytes of process {pid} could be searched");
    found
}

/// The bytes of one line of `/proc/PID/maps`, `None` when they cannot be read: device memory, guard pages.
fn read_region(memory: &File, line: &str) -> Option<Vec<u8>> {
    let mut fields = line.split_whitespace();
    let (range, rights) = (fields.next()?, fields.next()?);
    if !rights.starts_with('r') || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).expect("an address"));
    let mut bytes = vec![0; usize::try_from(end - start).expect("the size of a region")];
    memory.read_exact_at(&mut bytes, start).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn what_a_process_keeps_is_found_and_what_it_never_had_is_not() {
        // Made here from two halves, so that this test's own memory is not what is meant.
        let needle = [b"needle of ".as_slice(), b"a test in memory"].concat();
        let mut shell = Command::new("sh")
            .args(["-c", "read -r kept; echo ready; read -r end"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = shell.stdin.as_mut().unwrap();
        stdin.write_all(&[&needle[..], b"\n"].concat()).unwrap();
        shell.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
        assert!(!regions_that_hold(shell.id(), &needle).is_empty());
        assert!(regions_that_hold(shell.id(), b"what no shell has ever read").is_empty());
        shell.kill().unwrap();
        shell.wait().unwrap();
    }
}
