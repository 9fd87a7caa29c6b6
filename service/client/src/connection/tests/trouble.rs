//! Peers that send garbage, say nothing, dribble or leave.

use super::*;

#[test]
fn garbage_and_boasting_end_the_connection_at_once() {
    let claims = |body: u32, fields: u32| {
        let mut prefix = vec![b'l', 2, 0, 1];
        [body, 7, fields].iter().for_each(|number| prefix.extend(number.to_le_bytes()));
        prefix
    };
    for bytes in [vec![b'x'; 64], vec![0; 64], claims(100 << 20, 0), claims(0, 100 << 20), claims(u32::MAX, u32::MAX)] {
        let reply = play(soon(), |peer, _| {
            peer.say(&bytes);
            // Stays, so that it is the bytes that end it.
            peer.wait_for_end();
        });
        assert!(matches!(reply, Err(Failure::Lost(_))), "{bytes:?}: {reply:?}");
    }
}

#[test]
fn memory_grows_with_what_came_and_not_with_what_is_claimed() {
    let (mut connection, peer) = connect();
    let mut prefix = vec![b'l', 2, 0, 1];
    [60_u32 << 20, 7, 0].iter().for_each(|number| prefix.extend(number.to_le_bytes()));
    peer.say(&prefix);
    assert_eq!(connection.exchange(call("a"), in_millis(50)).unwrap_err(), Failure::Late);
    assert!(connection.inbox.room() <= 8192, "{}", connection.inbox.room());
}

#[test]
fn silence_is_late_at_the_deadline_and_so_is_a_reply_that_dribbles() {
    let (mut connection, _peer) = connect();
    let began = Instant::now();
    assert_eq!(connection.exchange(call("a"), in_millis(100)).unwrap_err(), Failure::Late);
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(5), "{waited:?}");

    let is_over = AtomicBool::new(false);
    let (mut connection, mut peer) = connect();
    thread::scope(|scope| {
        scope.spawn(|| {
            let call = peer.hear().unwrap();
            let reply = reply_to(&call).build(&"x".repeat(100_000)).unwrap();
            for byte in reply.data().bytes() {
                peer.say(&[*byte]);
                // Not too fast to be over by itself; an event of its own would be the deadline that is tested.
                thread::park_timeout(Duration::from_millis(1));
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let began = Instant::now();
        assert_eq!(connection.exchange(call("a"), in_millis(100)).unwrap_err(), Failure::Late);
        is_over.store(true, Ordering::Relaxed);
        let waited = began.elapsed();
        assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(5), "{waited:?}");
    });
}

#[test]
fn another_deadline_than_that_of_the_call_before_counts() {
    let (mut connection, mut peer) = connect();
    thread::scope(|scope| {
        scope.spawn(move || {
            let call = peer.hear().unwrap();
            peer.send(&reply_to(&call).build(&"done").unwrap());
            peer.wait_for_end();
        });
        assert_says(connection.exchange(call("a"), soon()), "done");
        let began = Instant::now();
        assert_eq!(connection.exchange(call("a"), in_millis(100)).unwrap_err(), Failure::Late);
        let waited = began.elapsed();
        assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(5), "{waited:?}");
        drop(connection);
    });
}

#[test]
fn signals_to_the_waiting_thread_disturb_nothing() {
    let caller = Interruptible::current();
    let (mut connection, mut peer) = connect();
    thread::scope(|scope| {
        scope.spawn(move || {
            let call = peer.hear().unwrap();
            for _ in 0..200 {
                caller.interrupt();
                thread::park_timeout(Duration::from_micros(200));
            }
            peer.send(&reply_to(&call).build(&"done").unwrap());
        });
        assert_says(connection.exchange(call("a"), soon()), "done");
    });
}

#[test]
fn a_peer_that_leaves_in_the_middle_of_a_message_is_lost_and_one_that_had_left_never_had_the_call() {
    let reply = play(soon(), |peer, call| {
        let reply = reply_to(call).build(&"done").unwrap();
        peer.say(&reply.data().bytes()[..20]);
        peer.stream = std::os::unix::net::UnixStream::pair().unwrap().0.into();
    });
    assert_eq!(reply.unwrap_err(), Failure::Lost("closed".into()));
    let (mut connection, peer) = connect();
    drop(peer);
    let failure = connection.exchange(call("a"), soon()).unwrap_err();
    assert!(matches!(failure, Failure::Unsent(_)), "{failure:?}");
}

#[test]
fn what_is_no_call_and_no_reply_ends_nothing_whatever_it_is() {
    let reply = play(soon(), |peer, call| {
        // A field that this release does not know, and a kind of message.
        let mut odd_field = signal(&"x").data().bytes().to_vec();
        let field = odd_field.windows(4).position(|bytes| bytes == [3, 1, b's', 0]).unwrap();
        odd_field[field] = 200;
        let mut odd_kind = signal(&"x").data().bytes().to_vec();
        odd_kind[1] = 9;
        peer.say(&[odd_field, odd_kind].concat());
        peer.send(&reply_to(call).build(&"done").unwrap());
    });
    assert_says(reply, "done");
}
