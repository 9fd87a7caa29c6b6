//! The wire with calls among those it reads that are answered there.

use super::*;
use crate::caller::Limiter;
use crate::fast_path::{Call, Reply, Target};

const GET: Target = Target { path: "/a", interface: "a.b", member: "Get", signature: "s" };

/// Answers every `Get`, except that of `panic`.
struct Gets;

impl FastPath for Gets {
    fn answer(&self, call: &Call<'_>) -> Option<Reply> {
        let text: &str = call.is(&GET).then(|| call.arguments()).flatten()?;
        assert_ne!(text, "panic");
        let bytes = Reply::encode(call, text.as_bytes())?;
        Some(Reply::new(call, bytes, pipe_with(text), Limiter::default().enter(7).unwrap()))
    }
}

fn fast_pair() -> (StdStream, Arc<BusWire>, Reader) {
    let (bus, daemon) = StdStream::pair().unwrap();
    let (wire, _builder) = open(daemon.into(), alone()).unwrap();
    let reader = Reader::new(Arc::clone(&wire), Above { fast_path: Some(Arc::new(Gets)), ..alone() });
    (bus, wire, reader)
}

fn get(text: &str) -> Message {
    Message::method_call("/a", "Get").interface("a.b").sender(":1.7").build(&text).unwrap()
}

#[tokio::test]
async fn calls_between_those_that_are_answered_reach_zbus_with_what_is_theirs() {
    let (bus, _wire, mut reader) = fast_pair();
    let gets = ["first", "second", "third"].map(get);
    send(&bus, &gets[0]);
    send(&bus, &call("/a", "b", &pipe_with("of the first Put")));
    send(&bus, &gets[1]);
    send(&bus, &call("/a", "b", &pipe_with("of the second Put")));
    send(&bus, &get("panic"));
    send(&bus, &gets[2]);
    send(&bus, &call("/a", "b", &pipe_with("of the third Put")));
    for text in ["of the first Put", "of the second Put"] {
        assert_eq!(text_of(&receive(&mut reader).await), text);
    }
    assert_eq!(receive(&mut reader).await.body().deserialize::<&str>().unwrap(), "panic");
    assert_eq!(text_of(&receive(&mut reader).await), "of the third Put");

    let mut replies = Reader::new(open(bus.into(), alone()).unwrap().0, alone());
    for get in gets {
        let reply = receive(&mut replies).await;
        assert_eq!(reply.header().reply_serial(), Some(get.primary_header().serial_num()));
        assert_eq!(reply.header().destination().unwrap().as_str(), ":1.7");
        assert_eq!(reply.data().fds().len(), 1);
    }
}

#[tokio::test]
async fn a_wire_that_has_settled_answers_no_more() {
    let (bus, wire, mut reader) = fast_pair();
    wire.settle().await;
    send(&bus, &get("late"));
    bus.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(reader.receive_message(0, &mut Vec::new(), &mut Vec::new()).await.is_err());
    drop((wire, reader));
    assert_eq!((&bus).read(&mut [0]).unwrap(), 0, "a call was answered at the end");
}
