use std::fs::File;
use std::io::Write;

use tokenvault_core::port::HeapMemory;

use super::super::{EmptyValue, IncomingLimits, Received, Room, receive_any};
use super::*;
use crate::sys::pipe;
use crate::value::portion::{MOST, Portions};

const LIMITS: IncomingLimits =
    IncomingLimits { max_bytes: 1_000, deadline: Duration::from_secs(10), empty: EmptyValue::Refused };

async fn long(fd: OwnedFd, limits: IncomingLimits) -> LongValue {
    let mut portion = Portions::new(MOST).of(1000);
    match receive_any(fd, limits, Room { portion: &mut portion, memory: &HeapMemory }).await.unwrap() {
        Received::Long(value) => value,
        Received::Whole(value) => panic!("taken in one piece: {} bytes", value.len()),
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// All parts of a value, in rooms of so many bytes.
async fn parts(mut value: LongValue, room: usize) -> Vec<Vec<u8>> {
    let (mut parts, mut room) = (Vec::new(), vec![0; room]);
    loop {
        let part = value.fill(&mut room).await.unwrap();
        parts.push(room[..part.len].to_vec());
        if part.is_last {
            return parts;
        }
    }
}

#[tokio::test]
async fn a_pipe_comes_in_full_parts_and_the_last_one_is_known_as_such() {
    for (len, room) in [(1_001, 600), (1_200, 600), (70_000, 65_536), (200_000, 65_536), (131_072, 65_536)] {
        let (read, write) = pipe::new().unwrap();
        let bytes = pattern(len);
        let writer = std::thread::spawn({
            let bytes = bytes.clone();
            move || File::from(write).write_all(&bytes).unwrap()
        });
        let parts = parts(long(read, LIMITS).await, room).await;
        writer.join().unwrap();
        assert_eq!(parts.len(), len.div_ceil(room), "{len} in {room}");
        assert!(parts.concat() == bytes, "{len} in {room}");
    }
}

#[tokio::test]
async fn a_sealed_memfd_comes_in_parts_as_well() {
    use nix::fcntl::{FcntlArg, SealFlag, fcntl};
    use nix::sys::memfd::{MFdFlags, memfd_create};

    for len in [1_001, 1_200, 1_800] {
        let fd = memfd_create(c"value", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap();
        File::from(fd.try_clone().unwrap()).write_all(&pattern(len)).unwrap();
        fcntl(&fd, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK)).unwrap();
        let parts = parts(long(fd, LIMITS).await, 600).await;
        assert_eq!(parts.len(), len.div_ceil(600));
        assert!(parts.concat() == pattern(len));
    }
}

#[tokio::test]
async fn a_writer_that_goes_on_has_time_and_one_that_stops_has_not() {
    let (read, write) = pipe::new().unwrap();
    let mut write = File::from(write);
    write.write_all(&pattern(1_001)).unwrap();
    let limits = IncomingLimits { deadline: Duration::from_millis(200), ..LIMITS };
    let mut value = long(read, limits).await;
    let mut room = [0; 600];
    let begun = Instant::now();
    // As a whole it takes longer than it may stand still.
    for _ in 0..8 {
        assert!(!value.fill(&mut room).await.unwrap().is_last);
        tokio::time::sleep(Duration::from_millis(50)).await;
        write.write_all(&pattern(600)).unwrap();
    }
    assert!(begun.elapsed() > limits.deadline);
    let stalled = loop {
        match value.fill(&mut room).await {
            Ok(part) => assert!(!part.is_last),
            Err(error) => break error,
        }
    };
    assert!(matches!(stalled, ReceiveError::Stalled(_)), "{stalled}");
}

#[tokio::test]
async fn a_writer_that_goes_on_for_ever_is_ended() {
    let (read, write) = pipe::new().unwrap();
    let mut write = File::from(write);
    write.write_all(&pattern(1_001)).unwrap();
    let mut value = long(read, IncomingLimits { deadline: Duration::from_millis(5), ..LIMITS }).await;
    value.patience = Duration::from_secs(10);
    let writer = std::thread::spawn(move || {
        while write.write_all(b"x").is_ok() {
            std::thread::yield_now();
        }
    });
    let mut room = [0; 600];
    let ended = loop {
        match value.fill(&mut room).await {
            Ok(part) => assert!(!part.is_last),
            Err(error) => break error,
        }
    };
    assert!(matches!(ended, ReceiveError::TooSlow(_)), "{ended}");
    drop(value);
    writer.join().unwrap();
}
