//! Where the built programs are, readable for every user of a test.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::sys;

/// What tests run; copied together when they must be copied.
const PROGRAMS: [&str; 7] = [
    "tokenvaultd",
    "tokenvault-tpm",
    "tokenvault",
    "tokenvaultctl",
    "tokenvault-pam-helper",
    "libtokenvault.so",
    "libpam_tokenvault.so",
];

static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

/// Path of a built program or library.
pub fn path(name: &str) -> PathBuf {
    let path = directory().join(name);
    assert!(path.exists(), "{} is not built; run 'make test', or 'cargo build --workspace' first", path.display());
    path
}

/// The root of the source tree.
pub fn source_root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The directory of the built programs: cargo's own when everyone can reach it, else a copy that goes at exit. A clone
/// often lies in a home directory that only its owner can enter, and the daemon under test is another user.
pub fn directory() -> &'static Path {
    DIRECTORY.get_or_init(|| {
        let built = cargo_directory();
        if is_reachable_by_everyone(&built) { built } else { copy_for_everyone(&built) }
    })
}

/// `target/debug`, from the path of the running test.
pub(crate) fn cargo_directory() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let parent = test.parent().expect("a test lies in a directory");
    if parent.ends_with("deps") { parent.parent().expect("deps lies in a directory").into() } else { parent.into() }
}

fn is_reachable_by_everyone(directory: &Path) -> bool {
    directory.ancestors().all(|part| fs::metadata(part).is_ok_and(|meta| meta.mode() & 0o001 != 0))
}

fn copy_for_everyone(built: &Path) -> PathBuf {
    let copy = tempfile::Builder::new()
        .prefix("tokenvault-programs.")
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir()
        .expect("a temporary directory")
        .keep();
    for name in PROGRAMS {
        if built.join(name).exists() {
            fs::copy(built.join(name), copy.join(name)).expect("copying a built program");
        }
    }
    sys::at_exit(remove_copy);
    copy
}

extern "C" fn remove_copy() {
    if let Some(copy) = DIRECTORY.get() {
        fs::remove_dir_all(copy).ok();
    }
}
