//! The private door with calls among those it reads that are answered there. The test's own thread is the client; the two of the
//! runtime are the door's.

mod toy;

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use tokenvaultd::door::DoorLimits;

use toy::ToyDoor;
use toy::raw::{self, RawClient};

/// More than any socket has room for.
const LONG: u32 = 4 << 20;

fn fast(text: &str) -> (String, String) {
    (text.to_owned(), "the fast way".to_owned())
}

fn ordinary(text: &str) -> (String, String) {
    (text.to_owned(), "the ordinary way".to_owned())
}

/// Waits until the fast path was asked for a call.
fn until_asked(door: &ToyDoor) {
    let begun = Instant::now();
    while door.asked() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the fast path is not asked");
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_the_fast_path_does_not_answer_goes_the_ordinary_way_whatever_became_of_it_there() {
    let door = ToyDoor::open(DoorLimits { in_flight: 2, ..DoorLimits::default() });
    let mut client = RawClient::connect(&door.path());
    for serial in 1..=10 {
        for (text, told) in [("a", fast("a")), ("decline", ordinary("decline")), ("panic", ordinary("panic"))] {
            client.send(&raw::fetch(serial, text));
            let reply = client.told();
            assert_eq!(reply.answers, serial);
            assert_eq!(reply.fetched(), told);
        }
    }
    assert_eq!(door.asked(), 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_no_descriptors_is_told_so_by_the_fast_path_too() {
    let door = ToyDoor::open(DoorLimits { in_flight: 2, ..DoorLimits::default() });
    let mut client = RawClient::connect_without_fds(&door.path());
    for serial in 1..=10 {
        client.send(&raw::fetch(serial, "a"));
        assert_eq!(client.reply(), (raw::ERROR, serial));
    }
    assert_eq!(door.asked(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_of_both_ways_arrive_whole_behind_one_that_is_read_slowly() {
    let door = ToyDoor::open(DoorLimits::default());
    let mut client = RawClient::connect(&door.path());
    client.send(&raw::say(1, LONG));
    // From here on the door writes that reply, and is not through with it before it is read.
    client.until_something_came();
    for serial in 2..=40 {
        let text = format!("text {serial}");
        client.send(&if serial % 5 == 0 { raw::echo(serial, &text) } else { raw::fetch(serial, &text) });
    }
    until_asked(&door);
    let long = client.told();
    assert_eq!(long.answers, 1);
    assert!(long.text().len() == LONG as usize && long.text().bytes().all(|byte| byte == b'x'));
    let mut replies: BTreeMap<u32, raw::Told> =
        (2..=40).map(|_| client.told()).map(|told| (told.answers, told)).collect();
    for serial in 2..=40 {
        let (told, text) = (replies.remove(&serial).expect("each call has its reply"), format!("text {serial}"));
        if serial % 5 == 0 {
            assert_eq!(told.text(), text);
        } else {
            assert_eq!(told.fetched(), fast(&text));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stalls_within_a_reply_is_hung_up_on_and_nothing_follows_what_was_cut_off() {
    let door = ToyDoor::open(DoorLimits { stall: Duration::from_millis(300), ..DoorLimits::default() });
    let mut client = RawClient::connect(&door.path());
    client.send(&raw::say(1, LONG));
    client.until_something_came();
    for serial in 2..=10 {
        client.send(&raw::fetch(serial, "a"));
    }
    client.until_hung_up();
    let mut bytes = Vec::new();
    // A reset says the same as an end.
    let _ = client.0.read_to_end(&mut bytes);
    let text = bytes.windows(16).position(|bytes| bytes == [b'x'; 16]).expect("its beginning came");
    assert!(text < 256 && bytes.len() < LONG as usize, "{text}, {}", bytes.len());
    assert!(bytes[text..].iter().all(|byte| *byte == b'x'), "something else follows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_a_fast_answer_and_none_is_given_after_it() {
    let door = ToyDoor::open(DoorLimits::default());
    let path = door.path();
    let mut client = RawClient::connect(&path);
    client.send(&raw::echo(1, "here"));
    assert_eq!(client.reply_serial(), 1);
    client.send(&[raw::fetch(2, "hold"), raw::fetch(3, "late")].concat());
    door.until_somebody_waits().await;
    door.stop();
    while UnixStream::connect(&path).is_ok() {
        std::thread::yield_now();
    }
    // One thread is held. When the other has come to this, it has told the connection.
    tokio::spawn(async {}).await.unwrap();
    door.let_go();
    let held = client.told();
    assert_eq!(held.answers, 2);
    assert_eq!(held.fetched(), fast("hold"));
    client.assert_closed();
    assert_eq!(door.asked(), 1);
    door.close().await;
}
