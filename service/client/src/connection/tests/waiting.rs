//! What waiting costs.

use nix::unistd::{Pid, gettid};

use super::*;

fn is_asleep(thread: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('S')
}

/// How often the calling thread has gone to sleep.
fn sleeps() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

/// How often a caller sleeps whose peer lets it sleep before it takes the call, and again before it answers.
fn sleeps_of_a_call() -> u64 {
    let caller = gettid();
    let fall_asleep = || {
        let deadline = soon();
        while !is_asleep(caller) {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
    };
    let (mut connection, mut peer) = connect();
    thread::scope(|scope| {
        let (begin, began) = std::sync::mpsc::channel();
        scope.spawn(move || {
            began.recv().unwrap();
            fall_asleep();
            let call = peer.hear().unwrap();
            fall_asleep();
            peer.send(&reply_to(&call).build(&"done").unwrap());
        });
        begin.send(()).unwrap();
        let before = sleeps();
        assert_says(connection.exchange(call("a"), soon()), "done");
        sleeps() - before
    })
}

#[test]
fn a_caller_is_woken_by_the_answer_and_not_by_the_peers_taking_the_call() {
    // Other reasons to sleep, such as memory to be had first, do not come every time.
    assert_eq!((0..5).map(|_| sleeps_of_a_call()).min(), Some(1));
}
