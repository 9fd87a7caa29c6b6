//! Where a process lives: on this system, or with another root file system, in a container or a chroot.
//!
//! Root in a container that shares the user namespace is uid 0 here. What the kernel shows of its mounts tells them apart,
//! when the connection is made: later its process may be gone, and its number another's. Where the kernel shows nothing of
//! others (`hidepid`), nothing is held against anyone.

use std::fs;
use std::io::{self, ErrorKind};

/// Whether a process that connected as `uid` lives in a container; told for root alone, who could do more than others.
pub fn is_contained(uid: u32, pid: Option<u32>) -> bool {
    uid == 0 && pid.is_some_and(is_elsewhere)
}

/// Whether the process sees another root file system than the daemon and the system's first process do, or is gone already:
/// whoever connects and leaves at once does not want to be looked at.
fn is_elsewhere(pid: u32) -> bool {
    let (first, own) = (root_of("1"), root_of("self"));
    match root_of(&pid.to_string()) {
        Ok(None) => false,
        Ok(theirs) => ![first, own].into_iter().flatten().any(|ours| ours == theirs),
        // Only where others can be seen does one that cannot be seen mean anything.
        Err(error) => error.kind() == ErrorKind::NotFound && first.is_ok(),
    }
}

/// Whether the daemon itself sees another root file system than the system's first process, as in an image that is being
/// built. What is mounted tells it: `/proc/1/root` is for root alone. Where the first process cannot be seen (`hidepid`) it
/// is not known, and the service manager's own word has to do.
pub fn is_chrooted() -> bool {
    match (root_of("1"), root_of("self")) {
        (Ok(first), Ok(own)) => differ(first.as_deref(), own.as_deref()),
        _ => false,
    }
}

/// In a directory that is no mount point nothing is mounted at `/`.
fn differ(first: Option<&str>, own: Option<&str>) -> bool {
    first.is_some_and(|first| own != Some(first))
}

fn root_of(process: &str) -> io::Result<Option<String>> {
    fs::read_to_string(format!("/proc/{process}/mountinfo")).map(|text| root(&text))
}

/// Device and directory that are mounted at `/`, the topmost last (`proc(5)`, mountinfo: id, parent, device, root, point).
fn root(mountinfo: &str) -> Option<String> {
    let mut found = None;
    for line in mountinfo.lines() {
        let mut fields = line.split(' ').skip(2);
        if let (Some(device), Some(directory), Some("/")) = (fields.next(), fields.next(), fields.next()) {
            found = Some(format!("{device} {directory}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_what_was_mounted_there_last() {
        let mountinfo = "21 1 254:0 / / rw - ext4 /dev/vda rw\n22 21 0:5 / /proc rw - proc proc rw\n\
                         30 21 0:44 /tree / rw shared:7 - overlay none rw\n";
        assert_eq!(root(mountinfo).as_deref(), Some("0:44 /tree"));
        assert_eq!(root("22 21 0:5 / /proc rw - proc proc rw\n"), None);
        assert_eq!(root("nonsense\n\n 1 2\n"), None);
    }

    #[test]
    fn a_chroot_is_another_root_or_none() {
        assert!(!differ(Some("254:0 /"), Some("254:0 /")));
        assert!(differ(Some("254:0 /"), Some("0:44 /tree")));
        assert!(differ(Some("254:0 /"), None), "a plain directory");
        assert!(!differ(None, Some("254:0 /")), "nothing to compare with");
        assert!(!is_chrooted(), "this process is in none");
    }

    #[test]
    fn this_process_lives_here_and_one_that_is_gone_does_not() {
        assert!(!is_contained(0, Some(std::process::id())));
        assert!(is_contained(0, Some(u32::MAX)));
        assert!(!is_contained(1000, Some(u32::MAX)), "nobody asks where others live");
        assert!(!is_contained(0, None));
    }
}
