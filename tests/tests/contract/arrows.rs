//! The arrows between the crates. Every crate is a link or a trust boundary: a program that links the library never gets
//! SQLite, libtss2 or vault code into its address space.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Who may depend on whom, of our own crates. The tests depend on what they like, for testing only.
const ARROWS: [(&str, &[&str]); 11] = [
    ("tokenvault-proto", &[]),
    ("tokenvault-core", &[]),
    ("tokenvault-store", &["tokenvault-core"]),
    ("tokenvault-tpm", &["tokenvault-core"]),
    ("tokenvaultd", &["tokenvault-core", "tokenvault-proto", "tokenvault-store", "tokenvault-tpm"]),
    ("tokenvault-client", &["tokenvault-proto"]),
    ("tokenvault-ffi", &["tokenvault-client", "tokenvault-proto"]),
    ("tokenvault-pam", &[]),
    ("tokenvault-pam-helper", &["tokenvault-client", "tokenvault-kdf"]),
    ("tokenvault-kdf", &[]),
    // A backup is looked at without the daemon, on any machine.
    ("tokenvault-cli", &["tokenvault-client", "tokenvault-core", "tokenvault-kdf", "tokenvault-proto"]),
];

/// Nobody depends on these.
const TESTS: [&str; 3] = ["tokenvault-fuzz", "tokenvault-fuzz-abi", "tokenvault-tests"];

/// Who alone may link what.
const SOLE_USERS: [(&str, &str); 3] =
    [("rusqlite", "tokenvault-store"), ("tss-esapi", "tokenvault-tpm"), ("argon2", "tokenvault-kdf")];

fn metadata() -> Metadata {
    let manifest = tokenvault_tests::program::source_root().join("Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .other_options(["--locked".to_owned()])
        .exec()
        .expect("cargo metadata")
}

/// What a program built from it contains: everything but what is for its tests or its build script.
fn linked(package: &Package) -> BTreeSet<&str> {
    let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.as_str()).collect()
}

#[test]
fn crates_depend_on_each_other_only_as_drawn() {
    let metadata = metadata();
    let ours: BTreeMap<&str, &Package> =
        metadata.workspace_packages().into_iter().map(|package| (package.name.as_str(), package)).collect();
    let drawn: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let known: BTreeSet<&str> = drawn.keys().copied().chain(TESTS).collect();
    assert_eq!(ours.keys().copied().collect::<BTreeSet<_>>(), known, "a new crate is drawn here first");
    for (name, allowed) in drawn {
        for dependency in linked(ours[name]).into_iter().filter(|dependency| ours.contains_key(dependency)) {
            assert!(allowed.contains(&dependency), "{name} -> {dependency} is not drawn");
        }
        for dependency in
            ours[name].dependencies.iter().filter(|dependency| ours.contains_key(dependency.name.as_str()))
        {
            assert!(!TESTS.contains(&&*dependency.name), "{name} depends on the tests");
        }
    }
}

#[test]
fn what_is_heavy_or_dangerous_is_linked_by_one_crate() {
    let metadata = metadata();
    for (dependency, sole) in SOLE_USERS {
        for package in metadata.workspace_packages() {
            let links_it = linked(package).contains(dependency);
            assert!(!links_it || package.name == sole, "{} links {dependency}; only {sole} may", package.name);
        }
    }
}

#[test]
fn the_daemon_takes_the_wire_format_of_the_worker_and_not_its_libraries() {
    let metadata = metadata();
    let daemon = metadata.workspace_packages().into_iter().find(|package| package.name == "tokenvaultd").unwrap();
    let tpm = daemon.dependencies.iter().find(|dependency| dependency.name == "tokenvault-tpm").unwrap();
    assert!(!tpm.uses_default_features && !tpm.features.contains(&"worker".to_owned()));
}

#[test]
fn the_client_has_no_runtime() {
    let metadata = metadata();
    let client = metadata.workspace_packages().into_iter().find(|package| package.name == "tokenvault-client").unwrap();
    let normal = client.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    let zbus = normal.into_iter().find(|dependency| dependency.name == "zbus").unwrap();
    assert_eq!(zbus.features, ["comms"], "messages, and nothing that drives a connection");
    assert!(!linked(client).contains("tokio"));
}

#[test]
fn what_is_loaded_into_every_login_program_is_next_to_nothing() {
    let metadata = metadata();
    let module = metadata.workspace_packages().into_iter().find(|package| package.name == "tokenvault-pam").unwrap();
    assert_eq!(linked(module), BTreeSet::from(["libc", "zeroize"]));
}

#[test]
fn the_domain_knows_no_runtime_bus_database_or_tpm() {
    let metadata = metadata();
    let core = metadata.workspace_packages().into_iter().find(|package| package.name == "tokenvault-core").unwrap();
    let linked = linked(core);
    for dependency in ["tokio", "zbus", "rusqlite", "tss-esapi", "nix", "libc", "serde"] {
        assert!(!linked.contains(dependency), "tokenvault-core links {dependency}");
    }
}
