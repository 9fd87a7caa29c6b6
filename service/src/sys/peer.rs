//! Who is at the other end of a Unix socket, in the kernel's words (`unix(7)`).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{getsockopt, sockopt};

/// Most groups a process can have (`NGROUPS_MAX`).
const MOST_GROUPS: usize = 65_536;

/// Enough for nearly everyone, so that one call does.
const USUAL_GROUPS: usize = 64;

/// Credentials of the peer, taken by the kernel when it connected: they stay those of the process that connected, whatever
/// becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// Effective UID.
    pub uid: u32,
    /// Effective primary group.
    pub gid: u32,
    /// Process id; `None` when the peer lives in a process namespace that has no number for it here.
    pub pid: Option<u32>,
}

/// UID, primary group and process id of the peer (`SO_PEERCRED`).
///
/// # Errors
/// The socket is not a connected Unix socket.
pub fn credentials(socket: impl AsFd) -> io::Result<Credentials> {
    let found = getsockopt(&socket, sockopt::PeerCredentials)?;
    Ok(Credentials { uid: found.uid(), gid: found.gid(), pid: u32::try_from(found.pid()).ok().filter(|pid| *pid != 0) })
}

/// Supplementary groups of the peer (`SO_PEERGROUPS`).
///
/// # Errors
/// The socket is not a connected Unix socket.
pub fn groups(socket: impl AsFd) -> io::Result<Vec<u32>> {
    match read_groups(&socket, USUAL_GROUPS) {
        Err(error) if error.raw_os_error() == Some(libc::ERANGE) => read_groups(&socket, MOST_GROUPS),
        result => result,
    }
}

fn read_groups(socket: impl AsFd, room: usize) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; room];
    let mut bytes = libc::socklen_t::try_from(size_of_val(groups.as_slice())).map_err(io::Error::other)?;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open for the length of the call, `groups` has room for the `bytes` bytes announced, and
    // the kernel writes whole gid_t values, which are u32.
    let result = unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERGROUPS, groups.as_mut_ptr().cast(), &raw mut bytes)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    groups.truncate(usize::try_from(bytes).unwrap_or(0) / size_of::<u32>());
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_peer_of_a_socket_pair_is_this_process() {
        let (here, _there) = UnixStream::pair().unwrap();
        let peer = credentials(&here).unwrap();
        assert_eq!(peer.uid, nix::unistd::geteuid().as_raw());
        assert_eq!(peer.gid, nix::unistd::getegid().as_raw());
        assert_eq!(peer.pid, Some(std::process::id()));
    }

    #[test]
    fn the_groups_of_the_peer_are_those_of_this_process() {
        let (here, _there) = UnixStream::pair().unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
        let mut expected: Vec<u32> = line.split_whitespace().map(|gid| gid.parse().unwrap()).collect();
        let mut found = groups(&here).unwrap();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_has_no_peer() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(credentials(&file).is_err());
        assert!(groups(&file).is_err());
    }
}
