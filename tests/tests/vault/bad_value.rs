//! Values that come as something else than a pipe with a value in it.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use tokenvault_tests::{Refusal, pipe};
use zbus::{Fd, Variant};

use crate::common::*;

fn put(wire: &Wire, value: OwnedFd) -> Result<u64, Refusal> {
    let options: HashMap<&str, Variant<'_>> = HashMap::new();
    let reply = wire.call(TOKENS_INTERFACE, "Put", &("t", Fd::from(value), options))?;
    Ok(reply.body().deserialize().unwrap())
}

#[track_caller]
fn assert_refused(answer: Result<u64, Refusal>, what: &str) -> String {
    let refusal = answer.err().unwrap_or_else(|| panic!("{what} was taken for a value"));
    assert_eq!(refusal.name, "org.tokenvault1.Error.InvalidArgs", "{what}: {}", refusal.text);
    refusal.text
}

fn memfd(bytes: &[u8], seals: Option<SealFlag>) -> OwnedFd {
    let mut file = File::from(memfd_create("value", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap());
    file.write_all(bytes).unwrap();
    if let Some(seals) = seals {
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).unwrap();
    }
    file.into()
}

through_both_doors! {
    fn only_a_pipe_or_a_sealed_memfd_is_a_value(door) {
        let vault = Vault::start();
        let wire = vault.wire(ALICE, door);
        let file = vault.path().join("value");
        std::fs::write(&file, b"value").unwrap();
        let (reader, writer) = pipe::open();
        let (socket, _other) = UnixStream::pair().unwrap();
        let wrong: [(&str, OwnedFd); 8] = [
            ("a regular file", File::open(&file).unwrap().into()),
            ("a directory", File::open(vault.path()).unwrap().into()),
            ("/dev/null", File::open("/dev/null").unwrap().into()),
            ("/dev/zero", File::open("/dev/zero").unwrap().into()),
            ("a socket", socket.into()),
            ("the write end of a pipe", writer.try_clone().unwrap()),
            ("a memfd without seals", memfd(b"value", None)),
            ("a memfd that can shrink", memfd(b"value", Some(SealFlag::F_SEAL_WRITE))),
        ];
        for (what, fd) in wrong {
            assert_refused(put(&wire, fd), what);
        }
        drop((reader, writer));
        assert_eq!(put(&wire, pipe::holding(b"value")).unwrap(), 1);
        let sealed = memfd(b"sealed", Some(SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK));
        assert_eq!(put(&wire, sealed).unwrap(), 2);
        assert_eq!(vault.client(ALICE, door).get("t", &defaults()).unwrap().data(), b"sealed");
    }

    fn an_empty_value_is_refused(door) {
        let vault = Vault::start();
        let text = assert_refused(put(&vault.wire(ALICE, door), pipe::holding(b"")), "an empty pipe");
        assert!(text.contains("empty"), "{text}");
    }

    fn a_value_over_its_size_is_refused_and_not_cut(door) {
        let vault = Vault::builder().limit("value-bytes", 1000).limit("attachment-bytes", 1000).start();
        let wire = vault.wire(ALICE, door);
        assert_eq!(put(&wire, pipe::holding(&[7; 1000])).unwrap(), 1);
        let text = assert_refused(put(&wire, pipe::holding(&[7; 1001])), "one byte too many");
        assert!(text.contains("1000"), "{text}");
        let sealed = memfd(&[7; 1001], Some(SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK));
        assert_refused(put(&wire, sealed), "a memfd that is too long");
        assert_eq!(vault.client(ALICE, door).get("t", &defaults()).unwrap().data(), [7; 1000]);
    }

    fn a_pipe_without_end_is_refused(door) {
        let vault = Vault::start();
        let (wire, bob) = (vault.wire(ALICE, door), vault.client(BOB, door));
        let (reader, writer) = pipe::open();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut writer = File::from(writer);
                // Ends when the daemon closes the last read end.
                while writer.write_all(&[b'x'; 4096]).is_ok() {}
            });
            assert_refused(put(&wire, reader), "an endless pipe");
        });
        bob.put("t", b"v", &defaults()).unwrap();
    }

    fn a_writer_that_stalls_is_a_timeout_and_holds_up_nobody(door) {
        let vault = Vault::builder().limit("pipe-seconds", 1).start();
        let (wire, bob) = (vault.wire(ALICE, door), vault.client(BOB, door));
        let (reader, writer) = pipe::open();
        File::from(writer.try_clone().unwrap()).write_all(b"half a val").unwrap();
        std::thread::scope(|scope| {
            let stalled = scope.spawn(|| put(&wire, reader));
            let begun = Instant::now();
            for _ in 0..20 {
                bob.put("t", b"v", &defaults()).unwrap();
            }
            assert!(begun.elapsed() < Duration::from_secs(15));
            let refusal = stalled.join().unwrap().expect_err("half a value was stored");
            assert_eq!(refusal.name, "org.tokenvault1.Error.Timeout");
        });
        drop(writer);
        assert_eq!(code(vault.client(ALICE, door).get("t", &defaults())), ErrorCode::NotFound);
    }

    fn a_writer_that_makes_the_pipe_blocking_again_holds_up_nobody(door) {
        let vault = Vault::builder().limit("pipe-seconds", 1).start();
        let (wire, bob) = (vault.wire(ALICE, door), vault.client(BOB, door));
        let (reader, writer) = pipe::open();
        let ours = reader.try_clone().unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let stalled = scope.spawn(|| put(&wire, reader));
            scope.spawn(|| {
                // The flag belongs to the open pipe, which both sides share: it can be taken off at any time.
                while !done.load(Ordering::Relaxed) {
                    fcntl(ours.as_fd(), FcntlArg::F_SETFL(OFlag::empty())).unwrap();
                    std::thread::yield_now();
                }
            });
            let begun = Instant::now();
            for _ in 0..20 {
                bob.put("t", b"v", &defaults()).unwrap();
            }
            assert!(begun.elapsed() < Duration::from_secs(15));
            let refusal = stalled.join().unwrap();
            done.store(true, Ordering::Relaxed);
            assert_eq!(refusal.expect_err("nothing was stored").name, "org.tokenvault1.Error.Timeout");
        });
        drop(writer);
    }

    fn a_slow_writer_in_time_is_served(door) {
        let vault = Vault::start();
        let wire = vault.wire(ALICE, door);
        let (reader, writer) = pipe::open();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut writer = File::from(writer);
                for byte in b"byte by byte" {
                    writer.write_all(&[*byte]).unwrap();
                    std::thread::yield_now();
                }
            });
            assert_eq!(put(&wire, reader).unwrap(), 1);
        });
        assert_eq!(vault.client(ALICE, door).get("t", &defaults()).unwrap().data(), b"byte by byte");
    }
}
