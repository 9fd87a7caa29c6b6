//! Root of a container that shares the user namespace is not the administrator of the system around it; and no vault is made
//! in a chroot.

use std::fs::File;
use std::process::{Output, Stdio};

use tokenvault_tests::process::Process;
use tokenvault_tests::{DAEMON, program};

use crate::common::*;

/// Makes a root file system of its own at `$1` with the programs and places of the real one, then runs the rest there.
const CONTAINER: &str = r#"
    set -eu
    tree=$1; shift
    mount -t tmpfs none "$tree"
    for place in /usr /bin /lib /lib64 /dev "$@"; do
        [ "$place" != -- ] || break
        if [ -L "$place" ]; then cp -a "$place" "$tree$place"; continue; fi
        [ -d "$place" ] || continue
        mkdir -p "$tree$place"
        mount --rbind "$place" "$tree$place"
    done
    while [ "$1" != -- ]; do shift; done; shift
    exec /usr/sbin/chroot "$tree" "$@"
"#;

/// Root's `tokenvaultctl slot list` after `prelude` in a mount namespace of its own.
fn list_slots(vault: &Vault, door: Door, prelude: &[&str]) -> Output {
    let ctl = program::path("tokenvaultctl");
    let mut command = vault.command(ROOT, "/usr/bin/unshare", door);
    command.env_remove("LD_PRELOAD").args(["--mount", "--"]).args(prelude).arg(ctl).args(["slot", "list"]);
    command.output().unwrap()
}

#[test]
fn root_of_a_container_does_not_administer_the_vault() {
    let vault = Vault::start();
    let tree = tempfile::tempdir().unwrap();
    let (tree, home) = (tree.path().to_str().unwrap(), vault.path().to_str().unwrap());
    let programs = program::directory().to_str().unwrap();
    for door in Door::ALL {
        let at_home = list_slots(&vault, door, &[]);
        assert!(at_home.status.success(), "a service with mounts of its own is no container: {at_home:?}");
        let contained = list_slots(&vault, door, &["/bin/sh", "-c", CONTAINER, "sh", tree, programs, home, "--"]);
        let text = String::from_utf8_lossy(&contained.stderr);
        assert_eq!(contained.status.code(), Some(4), "{text}");
        assert!(text.contains("container"), "{text}");
    }
}

#[test]
fn a_daemon_in_a_chroot_makes_no_vault() {
    let vault = Vault::builder().prepare();
    let configuration = vault.write_configuration();
    let tree = tempfile::tempdir().unwrap();
    std::fs::set_permissions(tree.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let log = File::create(vault.path().join("chroot.log")).unwrap();
    let mut command = vault.command(ROOT, "/usr/bin/unshare", Door::Socket);
    let uid = DAEMON.uid.to_string();
    let places = [vault.path(), program::directory(), "/proc".as_ref(), "/etc".as_ref()];
    command
        .args(["--mount", "--", "/bin/sh", "-c", CONTAINER, "sh"])
        .arg(tree.path())
        .args(places)
        .args(["--", "/usr/bin/setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups"])
        .arg(program::path("tokenvaultd"))
        .arg("--config")
        .arg(configuration)
        .stdin(Stdio::null())
        .stderr(log);
    let mut daemon = Process::adopt(command.spawn().unwrap());
    let address = vault.address(Door::Socket);
    let status = wait::until("the daemon in the chroot to answer", || {
        assert!(daemon.is_running(), "{}", std::fs::read_to_string(vault.path().join("chroot.log")).unwrap());
        ROOT.run(|| Client::open(Some(&address)).and_then(|client| client.status()))
            .ok()
            .filter(|status| status.state != "starting" && !status.reason.contains("no TPM was asked"))
    });
    assert_eq!(status.state, "uninitialised", "{status:?}");
    assert!(status.reason.contains("chroot"), "{status:?}");
}
