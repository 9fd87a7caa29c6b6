//! What was read lately is kept opened: nobody notices but by the clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use tokenvault_core::Error;
use tokenvault_core::port::{HeapMemory, SecretBuffer, SecretMemory, SecretMemoryExhausted};
use tokenvault_core::token::{Annotation, Expiry, PutOptions};
use tokenvault_core::vault::NewSlot;

use crate::fixture::{HOST_KEY, Home, SECOND, attributes, key, refused, wait_until};

/// Reads twice, so that the second read finds what the first one left.
fn read(home: &Home, name: &str) -> Result<Vec<u8>, Error> {
    let first = home.alice().get(name);
    let second = home.alice().get(name);
    assert_eq!(first.as_ref().ok(), second.as_ref().ok());
    second
}

#[test]
fn every_change_shows_in_the_next_read() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("a", b"one").unwrap();
    assert_eq!(read(&home, "a").unwrap(), b"one");
    alice.put("a", b"two").unwrap();
    assert_eq!(read(&home, "a").unwrap(), b"two");
    alice.rollback("a", 1).unwrap();
    assert_eq!(read(&home, "a").unwrap(), b"one");
    let change = Annotation { attributes: Some(attributes(&[("env", "test")])), ..Annotation::default() };
    alice.annotate("a", change).unwrap();
    assert_eq!(alice.open("a").unwrap().info.attributes.get("env").map(String::as_str), Some("test"));
    alice.rename("a", "b").unwrap();
    assert_eq!(refused(read(&home, "a")), refused(Err::<(), _>(Error::NotFound)));
    assert_eq!(read(&home, "b").unwrap(), b"one");
    alice.put("a", b"another").unwrap();
    assert_eq!(read(&home, "a").unwrap(), b"another");
    alice.delete("b").unwrap();
    assert!(matches!(read(&home, "b"), Err(Error::NotFound)));
    assert_eq!(read(&home, "a").unwrap(), b"another", "what did not change stays");
}

#[test]
fn time_and_wishes_are_judged_at_every_read() {
    let home = Home::new();
    let alice = home.alice();
    let options = PutOptions { expiry: Expiry::After(10 * SECOND), ..PutOptions::default() };
    alice.put_with("short", b"value", options).unwrap();
    alice.put_with("stated", b"value", PutOptions { require_purpose: Some(true), ..PutOptions::default() }).unwrap();
    assert!(read(&home, "short").is_ok() && alice.get_for("stated", "deploy").is_ok());
    assert!(matches!(read(&home, "stated"), Err(Error::AccessDenied(_))));
    home.clock.advance_usec(10 * SECOND);
    assert!(matches!(read(&home, "short"), Err(Error::NotFound)));
}

#[test]
fn what_one_owner_reads_is_not_found_by_another() {
    let home = Home::new();
    home.alice().put("same", b"hers").unwrap();
    home.bob().put("same", b"his").unwrap();
    assert_eq!(read(&home, "same").unwrap(), b"hers");
    assert_eq!(home.bob().get("same").unwrap(), b"his");
    home.bob().delete("same").unwrap();
    assert!(home.bob().get("same").is_err());
    assert_eq!(read(&home, "same").unwrap(), b"hers");
}

/// Secret memory that knows how much of it is in use.
#[derive(Default)]
struct Counted {
    used: Arc<AtomicUsize>,
}

struct Buffer {
    inner: Box<dyn SecretBuffer>,
    used: Arc<AtomicUsize>,
}

impl SecretMemory for Counted {
    fn allocate(&self, len: usize) -> Result<Box<dyn SecretBuffer>, SecretMemoryExhausted> {
        self.used.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Buffer { inner: HeapMemory.allocate(len)?, used: Arc::clone(&self.used) }))
    }
}

impl SecretBuffer for Buffer {
    fn bytes(&self) -> &[u8] {
        self.inner.bytes()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.inner.bytes_mut()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.used.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn keys_are_kept_for_what_is_read_again_and_wiped_with_the_vaults_own() {
    let memory = Counted::default();
    let used = Arc::clone(&memory.used);
    let home = Home::with_memory(Arc::new(memory));
    home.vault().create(&tokenvault_core::vault::daemon(), &NewSlot::HostKey(&key(&HOST_KEY))).unwrap();
    for number in 0..20 {
        home.alice().put(&format!("t{number}"), b"value").unwrap();
    }
    home.settle();
    home.alice().get("t0").unwrap();
    let before = used.load(Ordering::SeqCst);
    for number in 0..20 {
        home.alice().get(&format!("t{number}")).unwrap();
        home.alice().get(&format!("t{number}")).unwrap();
    }
    assert_eq!(used.load(Ordering::SeqCst), before + 19, "one key for each token, and no value");
    home.vault().seal(&home.root().caller).unwrap();
    wait_until("every secret to be wiped", || used.load(Ordering::SeqCst) == 0);
    home.unseal().unwrap();
    assert_eq!(home.alice().get("t1").unwrap(), b"value");
}

#[test]
fn reads_never_go_back_in_time_beside_a_writer() {
    let home = Home::new();
    home.alice().put("a", b"value").unwrap();
    let over = AtomicBool::new(false);
    let seen: Mutex<HashMap<&str, u64>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let alice = home.alice();
                let mut last = 0;
                while !over.load(Ordering::Relaxed) {
                    for (way, version) in [
                        ("described", Some(alice.describe("a").unwrap().version)),
                        ("opened", Some(alice.open("a").unwrap().info.version)),
                        ("lying opened", alice.get_hot("a").map(|(version, _)| version)),
                    ] {
                        let Some(version) = version else { continue };
                        assert!(version >= last, "{way}: it went back from {last} to {version}");
                        last = version;
                        *seen.lock().unwrap().entry(way).or_default() += 1;
                    }
                }
            });
        }
        for _ in 0..400 {
            let stored = home.alice().put("a", b"value").unwrap().version;
            let hot = home.alice().get_hot("a").map(|(version, _)| version);
            assert!(hot.is_none_or(|version| version == stored), "{hot:?} lies opened after {stored} was answered");
            assert_eq!(home.alice().open("a").unwrap().info.version, stored, "a write that was answered shows");
        }
        over.store(true, Ordering::Relaxed);
    });
    let seen = seen.lock().unwrap();
    assert!(seen.len() == 3 && seen.values().all(|reads| *reads > 100), "{seen:?}");
}
