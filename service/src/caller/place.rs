//! Where a process lives: on this system, or in a container with another root file system.
//!
//! Root in a container that shares the user namespace is uid 0 here. What the kernel shows of its mounts tells them apart;
//! where it shows nothing (`hidepid`, a process that is gone) nothing is known and nothing is refused: a pid is a hint.

use std::fs;

/// Whether the process sees another root file system than the daemon and the system's first process do.
pub fn is_elsewhere(pid: u32) -> bool {
    let root_of =
        |process: &str| fs::read_to_string(format!("/proc/{process}/mountinfo")).ok().as_deref().and_then(root);
    let Some(theirs) = root_of(&pid.to_string()) else { return false };
    let ours: Vec<String> = ["self", "1"].into_iter().filter_map(root_of).collect();
    !ours.is_empty() && !ours.contains(&theirs)
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
    fn this_process_lives_here_and_nothing_is_held_against_one_that_is_gone() {
        assert!(!is_elsewhere(std::process::id()));
        assert!(!is_elsewhere(u32::MAX));
    }
}
