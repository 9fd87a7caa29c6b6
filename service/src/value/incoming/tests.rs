//! What is taken, what is refused, and that nothing a writer does can block or spin us.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use tokenvault_core::port::HeapMemory;

use super::super::portion::{self, Portions};
use super::*;
use crate::sys::pipe as kernel_pipe;

const LIMITS: IncomingLimits =
    IncomingLimits { max_bytes: 65_536, deadline: Duration::from_secs(10), empty: EmptyValue::Refused };

async fn take(fd: impl Into<OwnedFd>, limits: IncomingLimits) -> Result<Vec<u8>, ReceiveError> {
    take_within(&mut Portions::new(portion::MOST).of(1000), fd, limits).await
}

async fn take_within(
    portion: &mut Portion,
    fd: impl Into<OwnedFd>,
    limits: IncomingLimits,
) -> Result<Vec<u8>, ReceiveError> {
    let room = Room { portion, memory: &HeapMemory };
    receive(fd.into(), limits, room).await.map(|value| value.expose().to_vec())
}

async fn refusal(fd: impl Into<OwnedFd>) -> &'static str {
    match take(fd, LIMITS).await {
        Err(ReceiveError::WrongKind(kind)) => kind,
        other => panic!("taken or refused otherwise: {other:?}"),
    }
}

fn filled_pipe(bytes: &[u8]) -> OwnedFd {
    let (read, write) = kernel_pipe::new().unwrap();
    let bytes = bytes.to_vec();
    std::thread::spawn(move || File::from(write).write_all(&bytes));
    read
}

fn memfd(bytes: &[u8], seals: SealFlag) -> OwnedFd {
    let fd = memfd_create(c"value", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap();
    File::from(fd.try_clone().unwrap()).write_all(bytes).unwrap();
    fcntl(&fd, FcntlArg::F_ADD_SEALS(seals)).unwrap();
    fd
}

#[tokio::test]
async fn a_pipe_is_read_to_its_end() {
    for len in [1, 4096, 4097, 65_536] {
        let bytes: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
        assert_eq!(take(filled_pipe(&bytes), LIMITS).await.unwrap(), bytes, "{len} bytes");
    }
}

#[tokio::test]
async fn a_value_written_a_byte_at_a_time_is_whole() {
    let (read, write) = kernel_pipe::new().unwrap();
    let writer = tokio::task::spawn_blocking(move || {
        let mut write = File::from(write);
        for byte in 0..200_u8 {
            write.write_all(&[byte]).unwrap();
            std::thread::yield_now();
        }
    });
    assert_eq!(take(read, LIMITS).await.unwrap(), (0..200).collect::<Vec<u8>>());
    writer.await.unwrap();
}

#[tokio::test]
async fn a_sealed_memfd_is_taken_from_its_beginning() {
    let fd = memfd(b"from memory", SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK);
    assert_eq!(take(fd, LIMITS).await.unwrap(), b"from memory");
}

#[tokio::test]
async fn other_kinds_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(refusal(tempfile::tempfile().unwrap()).await, "a regular file");
    assert_eq!(refusal(tempfile::tempfile_in("/dev/shm").unwrap()).await, "a regular file");
    assert_eq!(refusal(File::open(dir.path()).unwrap()).await, "a directory");
    assert_eq!(refusal(UnixStream::pair().unwrap().0).await, "a socket");
    assert_eq!(refusal(kernel_pipe::new().unwrap().1).await, "a pipe open for writing");
    assert_eq!(refusal(File::open("/dev/zero").unwrap()).await, "a character device");
    assert_eq!(refusal(File::open("/dev/ptmx").unwrap()).await, "a terminal");
    let half = memfd(b"x", SealFlag::F_SEAL_WRITE);
    assert_eq!(refusal(half).await, "a memfd without F_SEAL_WRITE and F_SEAL_SHRINK");
    let open = memfd(b"x", SealFlag::empty());
    assert_eq!(refusal(open).await, "a memfd without F_SEAL_WRITE and F_SEAL_SHRINK");
    let epoll = nix::sys::epoll::Epoll::new(nix::sys::epoll::EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    assert_eq!(refusal(epoll.0).await, "an anonymous descriptor of the kernel");
}

#[tokio::test]
async fn an_empty_value_is_refused_or_permitted_as_the_method_says() {
    assert!(matches!(take(filled_pipe(b""), LIMITS).await, Err(ReceiveError::Empty)));
    let permitted = IncomingLimits { empty: EmptyValue::Permitted, ..LIMITS };
    assert_eq!(take(filled_pipe(b""), permitted).await.unwrap(), b"");
    let empty = memfd(b"", SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK);
    assert!(matches!(take(empty, LIMITS).await, Err(ReceiveError::Empty)));
}

#[tokio::test]
async fn a_value_over_the_limit_is_refused_at_the_limit() {
    let small = IncomingLimits { max_bytes: 10, ..LIMITS };
    assert_eq!(take(filled_pipe(b"0123456789"), small).await.unwrap().len(), 10);
    assert!(matches!(take(filled_pipe(b"0123456789a"), small).await, Err(ReceiveError::TooLarge { limit: 10 })));
    let file = memfd(b"0123456789a", SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK);
    assert!(matches!(take(file, small).await, Err(ReceiveError::TooLarge { limit: 10 })));
}

#[tokio::test]
async fn an_endless_writer_is_refused_at_the_limit_not_at_the_deadline() {
    let (read, write) = kernel_pipe::new().unwrap();
    let writer =
        std::thread::spawn(move || while File::from(write.try_clone().unwrap()).write_all(&[7; 4096]).is_ok() {});
    let begin = Instant::now();
    assert!(matches!(take(read, LIMITS).await, Err(ReceiveError::TooLarge { limit: 65_536 })));
    assert!(begin.elapsed() < LIMITS.deadline);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_silent_writer_times_out_whatever_it_does_to_the_flags() {
    let (read, _write) = kernel_pipe::new().unwrap();
    let limits = IncomingLimits { deadline: Duration::from_millis(100), ..LIMITS };
    let theirs = read.try_clone().unwrap();
    let taking = take(read, limits);
    // The description is shared: its owner can make it blocking again at any time.
    fcntl(&theirs, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    assert!(matches!(taking.await, Err(ReceiveError::Timeout(_))));
}

#[tokio::test]
async fn the_same_pipe_in_two_calls_serves_one_and_spoils_nothing() {
    let (read, write) = kernel_pipe::new().unwrap();
    let again = read.try_clone().unwrap();
    let first = tokio::spawn(take(read, LIMITS));
    let second = tokio::spawn(take(again, LIMITS));
    tokio::task::yield_now().await;
    File::from(write).write_all(b"once").unwrap();
    let results = [first.await.unwrap(), second.await.unwrap()];
    let whole = results.iter().filter(|result| matches!(result, Ok(bytes) if bytes == b"once")).count();
    let empty = results.iter().filter(|result| matches!(result, Err(ReceiveError::Empty))).count();
    assert_eq!((whole, empty), (1, 1), "{results:?}");
}

#[tokio::test]
async fn a_value_is_taken_within_the_portion_of_its_user_and_no_further() {
    let portions = Portions::new(2 * 65_536);
    let mut whole = portions.of(1000);
    take_within(&mut whole, filled_pipe(&[7; 65_536]), LIMITS).await.unwrap();
    // Everything the user may have is taken, and what comes now is refused before a byte of it is.
    let refused = take_within(&mut portions.of(1000), filled_pipe(b"x"), LIMITS).await;
    assert!(matches!(refused, Err(ReceiveError::Portion(_))), "{refused:?}");
    let file = memfd(b"x", SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK);
    let refused = take_within(&mut portions.of(1000), file, LIMITS).await;
    assert!(matches!(refused, Err(ReceiveError::Portion(_))), "{refused:?}");
    // Another user has half of the rest, and a value that grows beyond it is refused as it does.
    let mut others = portions.of(1001);
    take_within(&mut others, filled_pipe(&[7; 20_000]), LIMITS).await.unwrap();
    let refused = take_within(&mut others, filled_pipe(&[7; 65_536]), LIMITS).await;
    assert!(matches!(refused, Err(ReceiveError::Portion(_))), "{refused:?}");
    drop(whole);
    take_within(&mut others, filled_pipe(&[7; 65_536]), LIMITS).await.unwrap();
}
