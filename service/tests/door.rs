//! The private door with a toy behind it, as real and as hostile clients meet it.

mod toy;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokenvaultd::door::DoorLimits;

use toy::raw::{self, RawClient};
use toy::{INTERFACE, PATH, ToyDoor, pass, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zbus_client_is_served_as_the_uid_it_has() {
    let door = ToyDoor::open(DoorLimits::default());
    let client = door.connect().await;
    let uid: u32 =
        client.call_method(None::<()>, PATH, Some(INTERFACE), "Uid", &()).await.unwrap().body().deserialize().unwrap();
    assert_eq!(uid, nix::unistd::geteuid().as_raw());
    for size in [0_usize, 1, 4000, 5000, 200_000] {
        let text = "x".repeat(size);
        let reply = client.call_method(None::<()>, PATH, Some(INTERFACE), "Echo", &text).await.unwrap();
        assert_eq!(reply.body().deserialize::<&str>().unwrap().len(), size);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_to_be_silent_is_read_less_often() {
    const SILENCE: Duration = Duration::from_millis(50);
    let door = ToyDoor::open(DoorLimits::default());
    let client = door.connect().await;
    door.slow_down(SILENCE);
    let begun = std::time::Instant::now();
    for _ in 0..4 {
        client.call_method(None::<()>, PATH, Some(INTERFACE), "Uid", &()).await.unwrap();
    }
    assert!(begun.elapsed() >= 4 * SILENCE, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn descriptors_pass_both_ways() {
    let door = ToyDoor::open(DoorLimits::default());
    let client = door.connect().await;
    // All at once, so that calls and their descriptors arrive in every mixture.
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..200 {
        let client = client.clone();
        calls.spawn(async move {
            let text = format!("through the toy: {number}");
            assert_eq!(pass(&client, &text).await, text);
        });
    }
    while let Some(result) = calls.join_next().await {
        result.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tools_of_the_system_are_served() {
    let door = ToyDoor::open(DoorLimits::default());
    let address = door.address();
    let (busctl, gdbus, send) = tokio::task::spawn_blocking(move || {
        let busctl =
            run("busctl", &[&format!("--address={address}"), "call", "org.toy", PATH, INTERFACE, "Echo", "s", "hi"]);
        let gdbus = run(
            "gdbus",
            &[
                "call",
                "--address",
                &address,
                "--dest",
                "org.toy",
                "--object-path",
                PATH,
                "--method",
                &format!("{INTERFACE}.Echo"),
                "hi",
            ],
        );
        let args = ["--print-reply=literal", PATH, &format!("{INTERFACE}.Echo"), "string:hi"];
        let peer = format!("--peer={address}");
        let bus = format!("--bus={address}");
        let send = [
            run("dbus-send", &[&[peer.as_str()], args.as_slice()].concat()),
            run("dbus-send", &[&[bus.as_str(), "--dest=org.toy"], args.as_slice()].concat()),
        ];
        (busctl, gdbus, send)
    })
    .await
    .unwrap();
    assert_eq!(busctl.trim(), "s \"hi\"");
    assert_eq!(gdbus.trim(), "('hi',)");
    assert!(send.iter().all(|text| text.trim() == "hi"), "{send:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greeting_sent_all_at_once_with_calls_behind_it_is_understood() {
    let door = ToyDoor::open(DoorLimits::default());
    let path = door.path();
    tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        let mut bytes = b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n".to_vec();
        bytes.extend((1..=3).flat_map(|serial| raw::echo(serial, "pipelined")));
        stream.write_all(&bytes).unwrap();
        let mut client = RawClient::greeted(stream);
        client.skip_greeting(3);
        let mut serials = [client.reply_serial(), client.reply_serial(), client.reply_serial()];
        serials.sort_unstable();
        assert_eq!(serials, [1, 2, 3]);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_of_another_uid_does_not_come_in() {
    let door = ToyDoor::open(DoorLimits::default());
    let path = door.path();
    tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(b"\0AUTH EXTERNAL 343242343234\r\n").unwrap();
        let mut answer = [0; 100];
        let count = stream.read(&mut answer).unwrap();
        assert_eq!(&answer[..count], b"REJECTED EXTERNAL\r\n");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_want_no_reply_get_none_and_are_counted() {
    let door = ToyDoor::open(DoorLimits { in_flight: 4, ..DoorLimits::default() });
    let path = door.path();
    tokio::task::spawn_blocking(move || {
        let mut client = RawClient::connect(&path);
        for serial in 1..=100 {
            let mut call = raw::echo(serial, "quiet");
            call[raw::FLAGS] |= raw::NO_REPLY_EXPECTED;
            client.send(&call);
        }
        client.send(&raw::echo(101, "loud"));
        assert_eq!(client.reply_serial(), 101);
    })
    .await
    .unwrap();
    // The loud call may have overtaken quiet ones that are still being worked on.
    let all_counted = async {
        while door.calls() < 101 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all_counted).await.unwrap();
    assert_eq!(door.calls(), 101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_for_a_client_without_descriptors_is_an_error_not_silence() {
    let door = ToyDoor::open(DoorLimits { in_flight: 2, ..DoorLimits::default() });
    let path = door.path();
    tokio::task::spawn_blocking(move || {
        let mut client = RawClient::connect_without_fds(&path);
        for serial in 1..=10 {
            client.send(&raw::call("Pipe", serial));
            let (kind, answers) = client.reply();
            assert_eq!((kind, answers), (raw::ERROR, serial));
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_ends_the_connection() {
    let door = ToyDoor::open(DoorLimits::default());
    let path = door.path();
    tokio::task::spawn_blocking(move || {
        let garbage: [&[u8]; 4] =
            [&[0; 16], b"GET / HTTP/1.1\r\n\r\n", &raw::prefix(128 * 1024 * 1024, 0), &raw::prefix(0, u32::MAX)];
        for bytes in garbage {
            let mut client = RawClient::connect(&path);
            client.send(bytes);
            client.assert_closed();
        }
        let mut client = RawClient::connect(&path);
        client.send_with_fds(&raw::echo(1, "x"), 17);
        client.assert_closed();
        let mut client = RawClient::connect(&path);
        client.send_with_fds(&raw::echo(1, "x"), 1);
        client.assert_closed();
        let mut client = RawClient::connect_without_fds(&path);
        client.send_with_fds(&raw::echo(1, "x"), 1);
        client.assert_closed();
    })
    .await
    .unwrap();
    assert!(door.connect().await.call_method(None::<()>, PATH, Some(INTERFACE), "Uid", &()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_never_ends_is_given_up() {
    let door = ToyDoor::open(DoorLimits { message: Duration::from_millis(200), ..DoorLimits::default() });
    let path = door.path();
    tokio::task::spawn_blocking(move || {
        let mut client = RawClient::connect(&path);
        let call = raw::echo(1, "half");
        client.send(&call[..call.len() - 1]);
        client.assert_closed();
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_are_limited_and_end_and_hold_nobody_up_which_needs_root() {
    let limits = DoorLimits { connections: 64, handshake: Duration::from_secs(2), ..DoorLimits::default() };
    let door = ToyDoor::open(limits);
    let path = door.path();
    let silent = tokio::task::spawn_blocking(move || {
        let silent: Vec<UnixStream> = (0..1000).map(|_| UnixStream::connect(&path).unwrap()).collect();
        // Those over the limit are told so and closed at once.
        let turned_away =
            silent.iter().skip(64).filter(|stream| raw::text_until_closed(stream).contains("'connections'"));
        assert_eq!(turned_away.count(), 936);
        silent
    })
    .await
    .unwrap();
    // Another uid is served meanwhile.
    assert_eq!(door.uid_as_seen_by_nobody().await, 65_534);
    // And once the silent ones have had their time, so is this one.
    let heard =
        tokio::task::spawn_blocking(move || silent.iter().take(64).map(raw::text_until_closed).collect::<String>());
    assert_eq!(heard.await.unwrap(), "");
    assert!(door.connect().await.call_method(None::<()>, PATH, Some(INTERFACE), "Uid", &()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_uid_has_its_own_connections_which_needs_root() {
    let door = ToyDoor::open(DoorLimits { connections: 3, ..DoorLimits::default() });
    let path = door.path();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(door.connect().await);
    }
    let refused = tokio::task::spawn_blocking(move || raw::text_until_closed(&UnixStream::connect(path).unwrap()));
    assert!(refused.await.unwrap().contains("limit 'connections'"));
    assert_eq!(door.uid_as_seen_by_nobody().await, 65_534);
    held.pop();
    drop(door.until_connected().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_and_gone_leaves_nothing_behind() {
    let door = ToyDoor::open(DoorLimits { connections: 1, ..DoorLimits::default() });
    let path = door.path();
    tokio::task::spawn_blocking(move || {
        for _ in 0..20 {
            let mut client = RawClient::connect_when_admitted(&path);
            for serial in 1..=1000 {
                if !client.try_send(&raw::echo(serial, "and gone")) {
                    break;
                }
            }
        }
    })
    .await
    .unwrap();
    drop(door.until_connected().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_the_door_lets_calls_finish_and_takes_no_more() {
    let door = ToyDoor::open(DoorLimits::default());
    let client = door.connect().await;
    let slow = {
        let client = client.clone();
        tokio::spawn(async move { client.call_method(None::<()>, PATH, Some(INTERFACE), "Wait", &()).await })
    };
    door.until_somebody_waits().await;
    let (path, release) = (door.path(), door.release());
    let closing = tokio::spawn(door.close());
    while UnixStream::connect(&path).is_ok() {
        tokio::task::yield_now().await;
    }
    release.notify_one();
    assert!(slow.await.unwrap().is_ok());
    closing.await.unwrap();
    client.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooder_who_never_reads_is_hung_up_on() {
    let limits = DoorLimits { stall: Duration::from_millis(300), ..DoorLimits::default() };
    let door = ToyDoor::open(limits);
    let path = door.path();
    tokio::task::spawn_blocking(move || {
        let stream: UnixStream = raw::flood(&path, Duration::from_secs(1)).0.0;
        // What was answered before is still there; then the end.
        std::io::copy(&mut &stream, &mut std::io::sink()).ok();
    })
    .await
    .unwrap();
}
