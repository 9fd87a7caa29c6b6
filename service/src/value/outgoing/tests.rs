//! Values reach their reader whole, and what nobody reads is taken back.

use std::io::Read;

use tokenvault_core::port::HeapMemory;

use super::*;

fn pipes(limits: PipeLimits) -> Pipes {
    Pipes::new(limits, Arc::new(HeapMemory)).unwrap()
}

fn secret(len: usize) -> Secret {
    let bytes: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
    Secret::copy_from(&HeapMemory, &bytes).unwrap()
}

fn send(pipes: &Pipes, uid: u32, len: usize) -> Result<OwnedFd, SendError> {
    pipes.reserve(uid, len, None)?.send(&secret(len))
}

fn read_all(pipe: OwnedFd) -> Vec<u8> {
    let mut bytes = Vec::new();
    File::from(pipe).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Waits until nothing is unread any more.
async fn until_nothing_is_unread(pipes: &Pipes) {
    while pipes.unread() != (0, 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_value_of_any_size_arrives_whole() {
    let pipes = pipes(PipeLimits::default());
    for len in [0, 1, 256, 4096, 4097, 65_536] {
        assert_eq!(read_all(send(&pipes, 1000, len).unwrap()), secret(len).expose(), "{len} bytes");
    }
}

#[tokio::test]
async fn twenty_thousand_values_read_at_once_never_meet_the_limit() {
    let pipes = pipes(PipeLimits { per_uid: 4, ..PipeLimits::default() });
    for _ in 0..20_000 {
        read_all(send(&pipes, 1000, 64).unwrap());
    }
    assert!(pipes.unread().0 <= 4);
}

#[tokio::test]
async fn pipes_read_behind_an_unread_one_are_let_go() {
    let pipes = pipes(PipeLimits { per_uid: 8, ..PipeLimits::default() });
    let _hoarded = [send(&pipes, 1000, 1).unwrap(), send(&pipes, 1000, 1).unwrap()];
    for _ in 0..100 {
        let burst: Vec<OwnedFd> = (0..6).map(|_| send(&pipes, 1000, 1).unwrap()).collect();
        burst.into_iter().for_each(|pipe| drop(read_all(pipe)));
    }
}

#[tokio::test]
async fn a_thousand_unread_pipes_of_one_uid_leave_the_others_alone() {
    let pipes = pipes(PipeLimits::default());
    let hoarded: Vec<_> = (0..1000).map(|_| send(&pipes, 1000, 65_536)).collect();
    let given = hoarded.iter().filter(|pipe| pipe.is_ok()).count();
    assert_eq!(given, 256);
    assert!(hoarded.iter().all(|pipe| matches!(pipe, Ok(_) | Err(SendError::Limit))));
    for _ in 0..1000 {
        assert_eq!(read_all(send(&pipes, 1001, 256).unwrap()), secret(256).expose());
    }
}

#[tokio::test]
async fn what_nobody_reads_is_emptied() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(200), ..PipeLimits::default() });
    let hoarded: Vec<OwnedFd> = (0..256).map(|_| send(&pipes, 1000, 4096).unwrap()).collect();
    assert!(matches!(send(&pipes, 1000, 1), Err(SendError::Limit)));
    until_nothing_is_unread(&pipes).await;
    assert!(hoarded.into_iter().all(|pipe| read_all(pipe).is_empty()));
    assert!(send(&pipes, 1000, 1).is_ok());
}

#[tokio::test]
async fn a_slow_reader_who_makes_progress_keeps_its_pipe() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(400), ..PipeLimits::default() });
    let mut pipe = File::from(send(&pipes, 1000, 1000).unwrap());
    let mut bytes = Vec::new();
    for _ in 0..10 {
        let mut some = [0; 100];
        pipe.read_exact(&mut some).unwrap();
        bytes.extend(some);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(bytes, secret(1000).expose());
}

#[tokio::test]
async fn the_bytes_of_one_uid_leave_half_for_the_next() {
    let limits = PipeLimits { bytes: 1024 * 1024, per_uid: 0, ..PipeLimits::default() };
    let pipes = pipes(limits);
    let hoard = |uid| std::iter::from_fn(|| send(&pipes, uid, 65_536).ok()).collect::<Vec<_>>();
    let counts = [1000, 1001, 1002].map(|uid| hoard(uid).len());
    // The descriptors are closed again, but our side still holds the bytes.
    assert_eq!(counts, [8, 4, 2]);
}

/// Sends a value through a pipe that holds only `room`, as pipes are when the kernel gives the daemon no larger ones.
fn send_through(pipes: &Pipes, uid: u32, room: usize, len: usize) -> Result<OwnedFd, SendError> {
    let (read, write) = pipe::new().unwrap();
    assert_eq!(pipe::resize(&write, room).unwrap(), room);
    let (value, reserved) = (secret(len), pipes.reserve(uid, len, None)?);
    let (first, rest) = value.expose().split_at(room);
    reserved.feed(read.try_clone().unwrap(), write, first, rest)?;
    Ok(read)
}

/// Reads `first` bytes at once and then a hundred every ten milliseconds.
async fn read_slowly(pipe: OwnedFd, first: usize) -> Vec<u8> {
    let read = move || {
        let (mut pipe, mut bytes) = (File::from(pipe), vec![0; first]);
        pipe.read_exact(&mut bytes).unwrap();
        while (&mut pipe).take(100).read_to_end(&mut bytes).unwrap() > 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        bytes
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_fed_as_it_is_read() {
    let pipes = pipes(PipeLimits::default());
    let read = send_through(&pipes, 1000, pipe::PAGE, 65_536).unwrap();
    let bytes = tokio::task::spawn_blocking(move || read_all(read)).await.unwrap();
    assert_eq!(bytes, secret(65_536).expose());
    until_nothing_is_unread(&pipes).await;
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_withdrawn_when_nobody_reads() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(100), ..PipeLimits::default() });
    let read = send_through(&pipes, 1000, pipe::PAGE, 65_536).unwrap();
    until_nothing_is_unread(&pipes).await;
    assert!(read_all(read).is_empty());
}

#[tokio::test]
async fn whoever_is_fed_slowly_keeps_nobody_else_from_being_fed() {
    let pipes = pipes(PipeLimits::default());
    let hoarded: Vec<_> = (0..300).map(|_| send_through(&pipes, 1000, pipe::PAGE, 65_536)).collect();
    assert_eq!(hoarded.iter().filter(|pipe| pipe.is_ok()).count(), 256);
    for _ in 0..10 {
        let read = send_through(&pipes, 1001, pipe::PAGE, 65_536).unwrap();
        let bytes = tokio::task::spawn_blocking(move || read_all(read)).await.unwrap();
        assert_eq!(bytes, secret(65_536).expose());
    }
}

#[tokio::test]
async fn values_on_their_way_of_one_uid_leave_secret_memory_to_the_next() {
    let pipes = pipes(PipeLimits { per_uid: 0, bytes: usize::MAX, ..PipeLimits::default() });
    let reserve = |uid| pipes.reserve(uid, 65_536, None);
    let reserved: Vec<_> = std::iter::from_fn(|| reserve(1000).ok()).collect();
    assert_eq!(reserved.len(), share::MOST / 2 / 65_536);
    assert!(matches!(reserve(1000), Err(SendError::Share(_))));
    assert!(reserve(1001).is_ok());
    drop(reserved);
    // What lies in a pipe takes none.
    let unread: Vec<_> = (0..100).map(|_| send(&pipes, 1000, 65_536).unwrap()).collect();
    assert_eq!(pipes.unread().0, unread.len());
    let reserved: Vec<_> = std::iter::from_fn(|| reserve(1000).ok()).collect();
    assert_eq!(reserved.len(), share::MOST / 2 / 65_536);
}

#[tokio::test]
async fn a_reader_slower_than_a_page_in_the_time_it_has_is_fed_on() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(200), ..PipeLimits::default() });
    let read = send_through(&pipes, 1000, pipe::PAGE, 6000).unwrap();
    assert!(read_slowly(read, 0).await == secret(6000).expose());
}

#[tokio::test]
async fn a_slow_reader_keeps_its_pipe_after_the_last_was_fed() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(200), ..PipeLimits::default() });
    let read = send_through(&pipes, 1000, 2 * pipe::PAGE, 9000).unwrap();
    assert!(read_slowly(read, pipe::PAGE).await == secret(9000).expose());
}

#[tokio::test]
async fn a_place_on_the_bus_comes_back_when_an_unread_value_was_closed_and_not_before() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(100), ..PipeLimits::default() });
    let mut unread = Vec::new();
    for _ in 0..24 {
        let post = pipes.post(1000).await.unwrap();
        unread.push(pipes.reserve(1000, 5, Some(post)).unwrap().send(&secret(5)).unwrap());
    }
    until_nothing_is_unread(&pipes).await;
    assert!(matches!(pipes.post(1000).await, Err(SendError::Limit)), "they may lie in the bus");
    assert!(pipes.post(1001).await.is_ok(), "another user has places of its own");
    drop(unread);
    let places: Vec<Post> = [pipes.post(1000).await, pipes.post(1000).await].into_iter().flatten().collect();
    assert_eq!(places.len(), 2, "who throws values away unread is not shut out");
}

#[tokio::test]
async fn the_timer_ends_with_the_last_handle() {
    let pipes = pipes(PipeLimits::default());
    let weak = Arc::downgrade(&pipes.0);
    let _unread = send(&pipes, 1000, 1).unwrap();
    drop(pipes);
    while weak.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}
