//! Values reach their reader whole, and what nobody reads is taken back.

use std::io::Read;
use std::os::fd::OwnedFd;

use tokenvault_core::Secret;
use tokenvault_core::port::HeapMemory;

use std::time::Instant;

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
    Ok(pipes.reserve(uid, len, None)?.fill_pipe((read, write), room, &secret(len))?.hand_out())
}

/// Reads `first` bytes at once and then a hundred, with a pause after each hundred.
async fn read_slowly(pipe: OwnedFd, first: usize, pause: Duration) -> Vec<u8> {
    let read = move || {
        let (mut pipe, mut bytes) = (File::from(pipe), vec![0; first]);
        pipe.read_exact(&mut bytes).unwrap();
        while (&mut pipe).take(100).read_to_end(&mut bytes).unwrap() > 0 {
            std::thread::sleep(pause);
        }
        bytes
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

/// Chunks of a value, and what comes where they end.
struct Parts(Vec<Option<Next>>);

impl Chunks for Parts {
    fn next(&mut self) -> Option<Next> {
        if self.0.is_empty() { None } else { self.0.remove(0) }
    }
}

fn parts(count: usize, end: Option<Next>) -> Parts {
    let parts = (0..count).map(|_| Some(Next::Part(secret(65_536))));
    Parts(parts.chain([end]).collect())
}

async fn read_in_chunks(pipes: &Pipes, then: Parts) -> Vec<u8> {
    let read = pipes.reserve(1000, 65_536, None).unwrap().send_chunks(secret(65_536), then).unwrap();
    let bytes = tokio::task::spawn_blocking(move || read_all(read)).await.unwrap();
    until_nothing_is_unread(pipes).await;
    bytes
}

#[tokio::test]
async fn a_value_in_chunks_comes_out_whole() {
    let pipes = pipes(PipeLimits::default());
    let bytes = read_in_chunks(&pipes, parts(9, Some(Next::End))).await;
    assert!(bytes == secret(65_536).expose().repeat(10));
}

#[tokio::test]
async fn a_value_whose_chunks_are_not_to_be_had_ends_before_its_size() {
    let pipes = pipes(PipeLimits::default());
    let bytes = read_in_chunks(&pipes, parts(3, None)).await;
    assert!(bytes.len() <= 4 * 65_536 && secret(65_536).expose().repeat(4).starts_with(&bytes));
}

#[tokio::test]
async fn a_value_in_chunks_that_is_not_read_on_is_withdrawn() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(200), ..PipeLimits::default() });
    let read = pipes.reserve(1000, 65_536, None).unwrap();
    let mut pipe = File::from(read.send_chunks(secret(65_536), parts(9, Some(Next::End))).unwrap());
    let begin = move || {
        pipe.read_exact(&mut vec![0; 100_000]).unwrap();
        pipe
    };
    let pipe = tokio::task::spawn_blocking(begin).await.unwrap();
    until_nothing_is_unread(&pipes).await;
    assert!(read_all(pipe.into()).is_empty());
}

#[tokio::test]
async fn a_reader_that_progresses_for_ever_comes_to_an_end() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(50), ..PipeLimits::default() });
    let read = pipes.reserve(1000, 65_536, None).unwrap();
    let read = read.send_chunks(secret(65_536), parts(99, Some(Next::End))).unwrap();
    let bytes = read_slowly(read, 0, Duration::from_millis(10)).await;
    assert!(bytes.len() < 40 * 65_536, "{} bytes", bytes.len());
    until_nothing_is_unread(&pipes).await;
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
    assert_eq!(reserved.len(), portion::MOST / 2 / 65_536);
    assert!(matches!(reserve(1000), Err(SendError::Portion(_))));
    assert!(reserve(1001).is_ok());
    drop(reserved);
    // What lies in a pipe takes none.
    let unread: Vec<_> = (0..100).map(|_| send(&pipes, 1000, 65_536).unwrap()).collect();
    assert_eq!(pipes.unread().0, unread.len());
    let reserved: Vec<_> = std::iter::from_fn(|| reserve(1000).ok()).collect();
    assert_eq!(reserved.len(), portion::MOST / 2 / 65_536);
}

/// The pause between hundreds of bytes that makes a page take longer than a second.
const A_PAGE_IN_OVER_A_SECOND: Duration = Duration::from_millis(30);

#[tokio::test]
async fn a_reader_slower_than_a_page_in_the_time_it_has_is_fed_on() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_secs(1), ..PipeLimits::default() });
    let read = send_through(&pipes, 1000, pipe::PAGE, 6000).unwrap();
    assert!(read_slowly(read, 0, A_PAGE_IN_OVER_A_SECOND).await == secret(6000).expose());
}

#[tokio::test]
async fn a_slow_reader_keeps_its_pipe_after_the_last_was_fed() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_secs(1), ..PipeLimits::default() });
    let read = send_through(&pipes, 1000, 2 * pipe::PAGE, 9000).unwrap();
    assert!(read_slowly(read, pipe::PAGE, A_PAGE_IN_OVER_A_SECOND).await == secret(9000).expose());
}

/// Sends a value over the bus.
async fn post(pipes: &Pipes, uid: u32) -> Result<OwnedFd, SendError> {
    let place = pipes.bus_place(uid).await?;
    pipes.reserve(uid, 5, Some(place))?.send(&secret(5))
}

async fn post_all_it_may(pipes: &Pipes, uid: u32) -> Vec<OwnedFd> {
    let mut unread = Vec::new();
    while unread.len() < bus::MOST_OF_ONE {
        unread.push(post(pipes, uid).await.unwrap());
    }
    unread
}

#[tokio::test]
async fn a_place_on_the_bus_comes_back_when_an_emptied_value_was_closed_and_not_before() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(100), ..PipeLimits::default() });
    let unread = post_all_it_may(&pipes, 1000).await;
    until_nothing_is_unread(&pipes).await;
    assert!(matches!(pipes.bus_place(1000).await, Err(SendError::Bus)), "they may lie in the bus");
    assert!(pipes.bus_place(1001).await.is_ok(), "another user has places of its own");
    drop(unread);
    assert!(pipes.bus_place(1000).await.is_ok());
}

#[tokio::test]
async fn of_what_was_closed_unread_nothing_stays_when_its_time_is_over() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(50), ..PipeLimits::default() });
    let kept = post(&pipes, 1000).await.unwrap();
    drop(post(&pipes, 1000).await.unwrap());
    until_nothing_is_unread(&pipes).await;
    assert_eq!(pipes.0.ledger().bus.emptied(1000).len(), 1, "only that which can still be read");
    drop(kept);
}

#[tokio::test]
async fn what_was_emptied_and_closed_is_forgotten_though_nobody_waits() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(100), ..PipeLimits::default() });
    let unread = post_all_it_may(&pipes, 1000).await;
    until_nothing_is_unread(&pipes).await;
    assert_eq!(pipes.0.ledger().bus.emptied(1000).len(), unread.len());
    drop(unread);
    let forgotten = async {
        while !pipes.0.ledger().bus.with_emptied().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), forgotten).await.is_ok());
}

#[tokio::test]
async fn who_throws_values_away_unread_is_not_shut_out() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_secs(3600), ..PipeLimits::default() });
    for _ in 0..4 {
        let mut unread = post_all_it_may(&pipes, 1000).await;
        let kept = unread.pop().unwrap();
        drop(unread);
        assert_eq!(read_all(kept), secret(5).expose(), "what is kept is whole");
    }
    assert!(pipes.unread().0 <= bus::MOST_OF_ONE);
}

#[tokio::test]
async fn a_call_that_waits_goes_on_when_a_value_was_read() {
    let pipes = pipes(PipeLimits::default());
    for _ in 0..100 {
        let unread = post_all_it_may(&pipes, 1000).await;
        let (place, ()) = tokio::join!(pipes.bus_place(1000), async {
            tokio::task::yield_now().await;
            unread.into_iter().for_each(|pipe| drop(read_all(pipe)));
        });
        assert!(place.is_ok());
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_while_it_waits_takes_no_place() {
    let pipes = pipes(PipeLimits::default());
    let unread = post_all_it_may(&pipes, 1000).await;
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(pipes.bus_place(1000))).collect();
    let given_up = tokio::time::timeout(Duration::from_millis(1), futures(&mut waiting)).await;
    assert!(given_up.is_err(), "there was no place");
    unread.into_iter().for_each(|pipe| drop(read_all(pipe)));
    // One gets its place and does not hear of it, two never get any.
    assert!(pipes.bus_place(1000).await.is_ok());
    drop(waiting);
    assert_eq!(post_all_it_may(&pipes, 1000).await.len(), bus::MOST_OF_ONE);
}

/// Polls each of them until the first is through.
async fn futures<F: Future + Unpin>(waiting: &mut [F]) -> F::Output {
    std::future::poll_fn(|context| {
        let ready = waiting.iter_mut().find_map(|future| match std::pin::Pin::new(future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        });
        ready.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    })
    .await
}

/// Fills a uid's quota.
fn hoard(pipes: &Pipes, uid: u32) -> Vec<OwnedFd> {
    std::iter::from_fn(|| pipes.reserve_free(uid, 5, None).ok()).map(|room| room.send(&secret(5)).unwrap()).collect()
}

#[tokio::test]
async fn who_claims_a_pipe_waits_until_one_was_read() {
    let pipes = pipes(PipeLimits { per_uid: 4, ..PipeLimits::default() });
    let mut unread = hoard(&pipes, 1000);
    assert_eq!(unread.len(), 4);
    assert!(pipes.claim(1001).await.is_ok(), "another user has a quota of its own");
    for _ in 0..100 {
        let (claim, ()) = tokio::join!(pipes.claim(1000), async {
            tokio::task::yield_now().await;
            drop(read_all(unread.remove(0)));
        });
        let _claim = claim.expect("a pipe was read");
        assert!(pipes.reserve_free(1000, 5, None).is_err(), "what is claimed is nobody else's");
        unread.push(send(&pipes, 1000, 5).unwrap());
    }
}

#[tokio::test]
async fn a_thousand_calls_that_come_at_once_are_all_served_as_they_are_read() {
    // Each waits for a second at most, and what was read is seen a millisecond or two later: with fewer pipes the last would
    // wait for longer.
    let pipes = pipes(PipeLimits { per_uid: 16, ..PipeLimits::default() });
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let pipes = pipes.clone();
        calls.spawn(async move {
            let claim = pipes.claim(1000).await.unwrap();
            let pipe = send(&pipes, 1000, 5).unwrap();
            drop(claim);
            tokio::task::yield_now().await;
            read_all(pipe) == secret(5).expose()
        });
    }
    assert!(calls.join_all().await.into_iter().all(|whole| whole));
    assert!(!pipes.0.ledger().quota(1000).is_waited_for());
}

#[tokio::test]
async fn a_claim_is_not_waited_for_without_end_and_one_given_up_is_not_lost() {
    let pipes = pipes(PipeLimits { per_uid: 1, ..PipeLimits::default() });
    let mut unread = hoard(&pipes, 1000);
    assert!(pipes.claim(1000).await.is_err());
    let begun = Instant::now();
    assert!(pipes.claim(1000).await.is_err() && begun.elapsed() < Duration::from_millis(500), "one in vain is enough");
    read_all(unread.remove(0));
    let claim = pipes.claim(1000).await.unwrap();
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(pipes.claim(1000))).collect();
    assert!(tokio::time::timeout(Duration::from_millis(1), futures(&mut waiting)).await.is_err());
    // The first of them gets it and does not hear of it.
    drop(claim);
    drop(waiting);
    assert!(pipes.claim(1000).await.is_ok());
    assert!(pipes.0.ledger().uids().is_empty(), "of who has nothing nothing is kept");
}

#[tokio::test]
async fn a_call_on_the_bus_has_its_pipe_claimed_until_it_is_there() {
    let pipes = pipes(PipeLimits { per_uid: 2, ..PipeLimits::default() });
    let place = pipes.bus_place(1000).await.unwrap();
    let _unread = pipes.reserve_free(1000, 5, None).unwrap().send(&secret(5)).unwrap();
    assert!(pipes.reserve_free(1000, 5, None).is_err());
    let posted = pipes.reserve(1000, 5, Some(place)).unwrap().send(&secret(5)).unwrap();
    assert_eq!(pipes.unread().0, 2);
    read_all(posted);
    assert!(pipes.reserve_free(1000, 5, None).is_ok(), "the claim went when the pipe was there");
}

#[tokio::test]
async fn what_was_filled_and_not_handed_out_costs_nothing_and_is_not_withdrawn() {
    let pipes = pipes(PipeLimits { withdraw_after: Duration::from_millis(20), ..PipeLimits::default() });
    let filled = pipes.reserve(1000, 5, None).unwrap().fill(&secret(5)).unwrap();
    // One that was handed out at the same time is taken back.
    let unread = send(&pipes, 1000, 5).unwrap();
    while pipes.unread().0 > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(read_all(unread).is_empty());
    assert_eq!(read_all(filled.hand_out()), secret(5).expose());
    drop(pipes.reserve(1000, 5, None).unwrap().fill(&secret(5)).unwrap());
    until_nothing_is_unread(&pipes).await;
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
