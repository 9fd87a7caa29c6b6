//! Messages that a bus passes on although zbus cannot take them: the connection lives, and the next call is served.

use std::time::{Duration, Instant};

use zbus::connection::Connection;

use super::*;

/// What the vault serves: calls there are not counted here.
const PATH: &str = tokenvault_proto::OBJECT_PATH;
const INTERFACE: &str = tokenvault_proto::TOKENS_INTERFACE;

struct Echo;

#[zbus::interface(name = "org.tokenvault1.Tokens")]
impl Echo {
    fn echo(&self, text: &str, _fd: Fd<'_>) -> String {
        text.to_owned()
    }
}

/// A daemon whose messages are read by zbus itself, and the bus at its other end.
struct Served {
    bus: StdStream,
    replies: Reader,
    _connection: Connection,
}

impl Served {
    async fn start() -> Self {
        let (bus, daemon) = StdStream::pair().unwrap();
        let (_wire, builder) = open(daemon.into(), alone()).unwrap();
        let mut greeted = bus.try_clone().unwrap();
        let greeting = tokio::task::spawn_blocking(move || greet(&mut greeted));
        let connection = builder.p2p().serve_at(PATH, Echo).build().await.unwrap();
        greeting.await.unwrap();
        let replies = Reader::new(open(bus.try_clone().unwrap().into(), alone()).unwrap().0, alone());
        Self { bus, replies, _connection: connection }
    }

    /// The next reply, whoever's it is.
    async fn reply(&mut self) -> Message {
        let next = tokio::time::timeout(Duration::from_secs(10), receive(&mut self.replies));
        next.await.expect("the next call is not served")
    }

    /// Everything that is answered before the next honest call, that included; panics when it is not.
    async fn replies(&mut self) -> Vec<Message> {
        let call = echo(":1.8");
        send(&self.bus, &call);
        let serial = call.primary_header().serial_num();
        let mut replies = Vec::new();
        loop {
            let reply = self.reply().await;
            let is_last = reply.header().reply_serial() == Some(serial);
            replies.push(reply);
            if is_last {
                assert_eq!(replies.last().unwrap().message_type(), Type::MethodReturn);
                return replies;
            }
        }
    }
}

/// The bus's part of the greeting; zbus does not mind answers that come early.
fn greet(bus: &mut StdStream) {
    bus.write_all(b"OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n").unwrap();
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"BEGIN\r\n") {
        bus.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
}

fn echo(sender: &str) -> Message {
    let call = Message::method_call(PATH, "Echo").interface(INTERFACE).destination("org.tokenvault1").sender(sender);
    let fd = pipe_with("");
    call.build(&("text", Fd::from(fd.as_fd()))).unwrap()
}

/// As the bus sends it, whatever is in it.
fn send_bytes(bus: &StdStream, bytes: &[u8], fds: &[OwnedFd]) {
    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    assert_eq!(socket::send(bus, bytes, &fds).unwrap(), bytes.len());
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// The same message with one more header field at its end.
fn with_field(message: &[u8], field: &[u8]) -> Vec<u8> {
    let (body, fields) = (number(message, 4), number(message, 12));
    let mut bytes = message[..16 + fields].to_vec();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(field);
    let fields = u32::try_from(bytes.len() - 16).unwrap();
    bytes[12..16].copy_from_slice(&fields.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(&message[message.len() - body..]);
    bytes
}

/// The same message with no more than `len` bytes of fields and of body.
fn cut_off(message: &[u8], fields: usize, body: usize) -> Vec<u8> {
    let mut bytes = message[..16 + fields].to_vec();
    bytes[4..8].copy_from_slice(&u32::try_from(body).unwrap().to_le_bytes());
    bytes[12..16].copy_from_slice(&u32::try_from(fields).unwrap().to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let start = message.len() - number(message, 4);
    bytes.extend(&message[start..start + body]);
    bytes
}

/// Fields that zbus knows nothing of, or has seen already.
const FIELDS: [&[u8]; 4] = [
    &[42, 1, b'u', 0, 1, 0, 0, 0],
    &[0, 1, b'u', 0, 1, 0, 0, 0],
    &[9, 1, b'u', 0, 1, 0, 0, 0],
    &[42, 2, b'a', b'y', 0],
];

#[tokio::test]
async fn a_call_with_a_field_that_nobody_knows_is_refused_and_its_connection_lives() {
    let mut served = Served::start().await;
    for field in FIELDS {
        let call = echo(":1.7");
        send_bytes(&served.bus, &with_field(call.data().bytes(), field), &[pipe_with("")]);
        let replies = served.replies().await;
        assert_eq!(replies.len(), 2, "{field:?}");
        let header = replies[0].header();
        assert_eq!(header.error_name().unwrap().as_str(), "org.tokenvault1.Error.InvalidArgs");
        assert_eq!(header.reply_serial(), Some(call.primary_header().serial_num()));
        assert_eq!(header.destination().unwrap().as_str(), ":1.7");
        // The same from one who wants no answer, and as a signal.
        let (mut silent, mut signal) = (call.data().bytes().to_vec(), call.data().bytes().to_vec());
        (silent[2], signal[1]) = (1, 4);
        for bytes in [silent, signal] {
            send_bytes(&served.bus, &with_field(&bytes, field), &[pipe_with("")]);
            assert_eq!(served.replies().await.len(), 1, "{field:?}");
        }
    }
}

#[tokio::test]
async fn a_call_that_counts_on_descriptors_that_it_does_not_bring_is_refused_and_its_connection_lives() {
    let mut served = Served::start().await;
    let fds: Vec<_> = (0..17).map(|_| pipe_with("")).collect();
    let body: Vec<_> = fds.iter().map(|fd| Fd::from(fd.as_fd())).collect();
    let call = Message::method_call(PATH, "Echo").interface(INTERFACE).sender(":1.7").build(&body).unwrap();
    // All of the many, and then fewer than it says, and none.
    for brought in [17, 16, 1, 0] {
        send_bytes(&served.bus, call.data().bytes(), &fds[..brought]);
        let replies = served.replies().await;
        assert_eq!(replies.len(), 2, "{brought} descriptors");
        assert_eq!(replies[0].header().error_name().unwrap().as_str(), "org.tokenvault1.Error.InvalidArgs");
    }
    // What came with it was closed: the next one's is its own.
    drop((call, fds));
}

#[tokio::test]
async fn no_damage_to_a_message_ends_the_connection() {
    let mut served = Served::start().await;
    let call = echo(":1.7");
    let signal = Message::signal(PATH, INTERFACE, "S").sender(":1.7").destination(":1.1");
    let signal = signal.build(&("text", 7_u32)).unwrap();
    let reply = Message::method_return(&call.header()).sender(":1.7").build(&"text").unwrap();
    let error = Message::error(&call.header(), "a.b.C").sender(":1.7").build(&"text").unwrap();
    for message in [call, signal, reply, error] {
        let bytes = message.data().bytes();
        // How long a message is, and in which order its numbers are, is what the bus itself goes by.
        let framing = |at: &usize| !matches!(at, 0 | 3 | 4..=7 | 12..=15);
        for at in (0..bytes.len()).filter(framing) {
            for value in [0, 1, 4, 9, b'.', b'/', b'g', b's', b'u', b'v', 0x7F, 0xFF, bytes[at] ^ 1] {
                let mut damaged = bytes.to_vec();
                damaged[at] = value;
                send_bytes(&served.bus, &damaged, &[pipe_with("")]);
            }
            served.replies().await;
        }
        let (body, fields) = (number(bytes, 4), number(bytes, 12));
        for len in 0..=fields {
            send_bytes(&served.bus, &cut_off(bytes, len, body), &[pipe_with("")]);
            served.replies().await;
        }
        for len in 0..=body {
            send_bytes(&served.bus, &cut_off(bytes, fields, len), &[pipe_with("")]);
            served.replies().await;
        }
    }
}

/// What became of the calls of one sender.
#[derive(Default)]
struct Tally {
    answered: usize,
    refused: usize,
}

impl Tally {
    fn note(&mut self, sender: &str, replies: &[Message]) {
        for header in replies.iter().map(Message::header) {
            let is_refusal = header.error_name().is_some_and(|name| name.ends_with("LimitsExceeded"));
            match header.destination().unwrap().as_str() == sender {
                true if is_refusal => self.refused += 1,
                true => self.answered += 1,
                false => {}
            }
        }
    }
}

#[tokio::test]
async fn who_calls_what_the_vault_does_not_count_too_often_is_refused() {
    const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
    let mut served = Served::start().await;
    let introspect = |sender: &'static str, path: &'static str| Message::method_call(path, "Introspect").sender(sender);
    let (mut often, mut once) = (Tally::default(), Tally::default());
    for _ in 0..300 {
        let standard = introspect(":1.7", PATH).interface(INTROSPECTABLE);
        let (nameless, unknown) = (introspect(":1.7", PATH), introspect(":1.7", "/elsewhere").interface(INTERFACE));
        for call in [standard, nameless, unknown] {
            send(&served.bus, &call.build(&()).unwrap());
        }
        often.note(":1.7", &served.replies().await);
    }
    send(&served.bus, &introspect(":1.9", PATH).interface(INTROSPECTABLE).build(&()).unwrap());
    while often.answered + often.refused < 900 || once.answered + once.refused < 1 {
        let reply = [served.reply().await];
        often.note(":1.7", &reply);
        once.note(":1.9", &reply);
    }
    assert!(often.answered >= 400 && often.refused > 0, "{} of 900 were answered", often.answered);
    assert_eq!(once.answered, 1, "another sender has its own");
    // Who waits for a refusal waits a moment.
    let waited = loop {
        let asked = Instant::now();
        send(&served.bus, &introspect(":1.7", PATH).build(&()).unwrap());
        let mut tally = Tally::default();
        tally.note(":1.7", &[served.reply().await]);
        if tally.refused > 0 {
            break asked.elapsed();
        }
    };
    assert!(waited >= Duration::from_millis(10), "{waited:?}");
}

#[tokio::test]
async fn a_ping_is_answered_however_often_it_comes() {
    let mut served = Served::start().await;
    let mut tally = Tally::default();
    for _ in 0..1_000 {
        let ping = Message::method_call("/", "Ping").interface("org.freedesktop.DBus.Peer").sender(":1.7");
        send(&served.bus, &ping.build(&()).unwrap());
        tally.note(":1.7", &[served.reply().await]);
    }
    assert_eq!(tally.answered, 1_000);
}
