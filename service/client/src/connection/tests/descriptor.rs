//! Whose descriptors are whose.

use super::*;

/// The reading end of a pipe with `text` in it.
fn pipe_with(text: &str) -> OwnedFd {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    reader.into()
}

fn read_from(message: &Message) -> String {
    let body = message.body();
    let fd: zbus::Fd<'_> = body.deserialize().unwrap();
    let mut text = String::new();
    std::fs::File::from(fd.as_fd().try_clone_to_owned().unwrap()).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn each_message_has_its_own_descriptors_and_those_of_others_are_closed() {
    let (probe, held) = std::io::pipe().unwrap();
    let reply = play(soon(), |peer, call| {
        peer.send(&signal(&zbus::Fd::from(OwnedFd::from(held))));
        // In one write with the reply that has none of them: the first of two.
        peer.send(&signal(&"without"));
        peer.send(&reply_to(call).build(&zbus::Fd::from(pipe_with("its own"))).unwrap());
        peer.send_if_there(&signal(&zbus::Fd::from(pipe_with("behind"))));
    });
    assert_eq!(read_from(&reply.unwrap()), "its own");
    let mut end = Vec::new();
    std::io::BufReader::new(probe).read_to_end(&mut end).unwrap();
}

#[test]
fn descriptors_that_wait_for_two_messages_are_told_apart() {
    let (mut connection, mut peer) = connect();
    let first = signal(&zbus::Fd::from(pipe_with("the signal's")));
    let head = first.data().bytes().len() - 3;
    peer.say_with(&first.data().bytes()[..head], &[first.data().fds()[0].as_raw_fd()]);
    thread::scope(|scope| {
        scope.spawn(|| {
            let call = peer.hear().unwrap();
            let reply = reply_to(&call).build(&zbus::Fd::from(pipe_with("the reply's"))).unwrap();
            let bytes = [&first.data().bytes()[head..], reply.data().bytes()].concat();
            peer.say_with(&bytes, &[reply.data().fds()[0].as_raw_fd()]);
        });
        assert_eq!(read_from(&connection.exchange(call("a"), soon()).unwrap()), "the reply's");
    });
}

#[test]
fn descriptors_of_no_message_or_too_few_of_them_end_the_connection() {
    let surplus = play(soon(), |peer, call| {
        let reply = reply_to(call).build(&"none").unwrap();
        peer.say_with(reply.data().bytes(), &[pipe_with("x").as_raw_fd()]);
    });
    let Err(Failure::Lost(cause)) = surplus else { panic!("{surplus:?}") };
    assert!(cause.contains("belong to no message"), "{cause}");
    let missing = play(soon(), |peer, call| {
        let reply = reply_to(call).build(&zbus::Fd::from(pipe_with("x"))).unwrap();
        peer.say(reply.data().bytes());
    });
    assert!(matches!(missing, Err(Failure::Lost(_))), "{missing:?}");
    let hoard = play(soon(), |peer, call| {
        let fds: Vec<OwnedFd> = (0..16).map(|_| pipe_with("x")).collect();
        let fds: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let reply = reply_to(call).build(&"x".repeat(100)).unwrap();
        for byte in reply.data().bytes().iter().take(4) {
            // Until the client hangs up.
            let _ = peer.stream.send(&[*byte], &fds);
        }
        // Stays, so that it is the descriptors that end it.
        peer.wait_for_end();
    });
    assert!(matches!(hoard, Err(Failure::Lost(_))), "{hoard:?}");
}
