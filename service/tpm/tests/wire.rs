//! The messages between daemon and worker: what goes in comes out, and nothing else does.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use tokenvault_core::port::{Counted, CounterStep, SealError, SealedBlob, TpmStatus};
use tokenvault_tpm::{
    MAX_BODY, MAX_MESSAGE, Operation, PREFIX, Request, Response, SECRET_LEN, VERSION, WireError, body_len,
};

const SECRET: [u8; SECRET_LEN] = [0x5e; SECRET_LEN];

fn blob() -> SealedBlob {
    SealedBlob {
        root_key_name: vec![0, 11, 1, 2, 3],
        public: (0..78).collect(),
        private: vec![0xa5; 158],
        policy: vec![7; 32],
        pcrs: vec![0, 7, 23],
    }
}

fn sent(request: &Request<'_>) -> Vec<u8> {
    let mut buffer = vec![0; MAX_MESSAGE];
    let len = request.encode(&mut buffer).unwrap();
    message(&buffer[..len])
}

fn answered(response: &Response<'_>) -> Vec<u8> {
    let mut buffer = vec![0; MAX_MESSAGE];
    let len = response.encode(&mut buffer).unwrap();
    message(&buffer[..len])
}

/// Checks the length in front and takes it off.
fn message(bytes: &[u8]) -> Vec<u8> {
    let (prefix, body) = bytes.split_first_chunk::<PREFIX>().unwrap();
    assert_eq!(body_len(*prefix), Ok(body.len()));
    body.to_vec()
}

fn requests() -> [Vec<u8>; 4] {
    let tcti = "device:/dev/tpmrm0";
    [
        sent(&Request { tcti, operation: Operation::Seal { secret: &SECRET, pcrs: &[1, 2] } }),
        sent(&Request { tcti, operation: Operation::Unseal(blob()) }),
        sent(&Request { tcti, operation: Operation::Status }),
        count(CounterStep::Raise { from: 0x0102_0304_0506_0708 }),
    ]
}

fn count(step: CounterStep) -> Vec<u8> {
    let operation = Operation::Count { index: 0x0180_0001, root_key_name: &[0, 11, 1, 2], auth: &SECRET, step };
    sent(&Request { tcti: "device:/dev/tpmrm0", operation })
}

fn responses() -> [Vec<u8>; 6] {
    [
        answered(&Response::Sealed(blob())),
        answered(&Response::Unsealed(&SECRET)),
        answered(&Response::Status(status())),
        answered(&Response::Counted(Counted::At(0x0807_0605_0403_0201))),
        answered(&Response::Failed(SealError::Lockout)),
        answered(&Response::Failed(SealError::NoTpm("no device".into()))),
    ]
}

fn status() -> TpmStatus {
    TpmStatus {
        manufacturer: "IBM".into(),
        firmware: "8217.4131".into(),
        root_key_name: vec![0, 11, 9],
        in_lockout: true,
    }
}

#[test]
fn requests_arrive_as_they_were_sent() {
    let [seal, unseal, status, _count] = requests();
    let request = Request::decode(&seal).ok().unwrap();
    assert_eq!(request.tcti, "device:/dev/tpmrm0");
    assert!(matches!(request.operation, Operation::Seal { secret: &SECRET, pcrs: &[1, 2] }));
    assert!(matches!(Request::decode(&unseal), Ok(Request { operation: Operation::Unseal(got), .. }) if got == blob()));
    assert!(matches!(Request::decode(&status), Ok(Request { operation: Operation::Status, .. })));
}

#[test]
fn responses_arrive_as_they_were_sent() {
    let [sealed, unsealed, about, ..] = responses();
    assert!(matches!(Response::decode(&sealed), Ok(Response::Sealed(got)) if got == blob()));
    assert!(matches!(Response::decode(&unsealed), Ok(Response::Unsealed(&SECRET))));
    assert!(matches!(Response::decode(&about), Ok(Response::Status(got)) if got == status()));
    for error in [
        SealError::NoTpm("no device".into()),
        SealError::WrongTpm,
        SealError::PolicyMismatch,
        SealError::Lockout,
        SealError::DamagedBlob,
        SealError::Timeout,
        SealError::Failed("TPM2_Create: response code 0x101".into()),
    ] {
        let body = answered(&Response::Failed(error.clone()));
        assert!(matches!(Response::decode(&body), Ok(Response::Failed(got)) if got == error), "{error}");
    }
}

#[test]
fn a_secret_is_read_where_it_lies() {
    let [_, unsealed, ..] = responses();
    let Ok(Response::Unsealed(secret)) = Response::decode(&unsealed) else { panic!("no secret") };
    assert!(unsealed.as_ptr_range().contains(&secret.as_ptr()), "the secret was copied");
}

#[test]
fn a_long_failure_becomes_one_short_line() {
    let body = answered(&Response::Failed(SealError::Failed(format!("a\nb{}", "ü".repeat(4000)))));
    let Ok(Response::Failed(SealError::Failed(text))) = Response::decode(&body) else { panic!("no failure") };
    assert!(text.starts_with("a b") && text.len() <= 512 && !text.contains('\n'));
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let mut buffer = [0; MAX_MESSAGE];
    let encode = |blob: SealedBlob, buffer: &mut [u8]| {
        Request { tcti: "tabrmd:", operation: Operation::Unseal(blob) }.encode(buffer)
    };
    assert_eq!(encode(SealedBlob { private: vec![0; MAX_BODY], ..blob() }, &mut buffer), Err(WireError::TooBig));
    assert_eq!(encode(SealedBlob { private: vec![0; 70_000], ..blob() }, &mut buffer), Err(WireError::TooBig));
    assert_eq!(encode(blob(), &mut buffer[..100]), Err(WireError::TooBig));
    assert_eq!(encode(blob(), &mut []), Err(WireError::TooBig));
    // A buffer of more than MAX_BODY does not make a message of more than MAX_BODY.
    let too_long = SealedBlob { private: vec![0; MAX_BODY], ..blob() };
    assert_eq!(encode(too_long, &mut vec![0; 3 * MAX_BODY]), Err(WireError::TooBig));
    assert_eq!(encode(SealedBlob { pcrs: vec![3, 3], ..blob() }, &mut buffer), Err(WireError::Field("pcrs")));
    assert_eq!(encode(SealedBlob { pcrs: vec![24], ..blob() }, &mut buffer), Err(WireError::Field("pcrs")));
}

#[test]
fn lengths_over_the_cap_are_refused_before_anything_is_allocated() {
    for len in [0, u32::MAX, u32::try_from(MAX_BODY).unwrap() + 1] {
        assert_eq!(body_len(len.to_be_bytes()), Err(WireError::Length(usize::try_from(len).unwrap())));
    }
    assert_eq!(body_len([0, 0, 0x10, 0]), Ok(MAX_BODY));
}

#[test]
fn malformed_requests_are_refused_by_name() {
    let [seal, ..] = requests();
    let table: [(&str, Vec<u8>, WireError); 12] = [
        ("nothing", vec![], WireError::Truncated),
        ("no kind", vec![VERSION], WireError::Truncated),
        ("another version", vec![VERSION + 1, 3, 0, 0], WireError::Version(VERSION + 1)),
        ("version zero", vec![0, 3, 0, 0], WireError::Version(0)),
        ("an unknown operation", vec![VERSION, 5, 0, 0], WireError::Kind(5)),
        ("an answer", vec![VERSION, 0x83, 0, 0], WireError::Kind(0x83)),
        ("text that ends early", vec![VERSION, 3, 0, 5, b'x'], WireError::Truncated),
        ("text that is none", vec![VERSION, 3, 0, 1, 0xff], WireError::Field("tcti")),
        ("trailing bytes", vec![VERSION, 3, 0, 1, b'x', 0], WireError::Trailing),
        ("a secret cut short", seal[..seal.len() - 1].to_vec(), WireError::Truncated),
        ("PCRs out of order", vec![VERSION, 1, 0, 0, 0, 2, 2, 1], WireError::Field("pcrs")),
        ("a PCR that is none", vec![VERSION, 1, 0, 0, 0, 1, 24], WireError::Field("pcrs")),
    ];
    for (what, body, error) in table {
        assert_eq!(Request::decode(&body).err(), Some(error), "{what}");
    }
}

#[test]
fn malformed_responses_are_refused_by_name() {
    let [_, unsealed, ..] = responses();
    let mut long = unsealed.clone();
    long.push(0);
    let mut endless = vec![VERSION, 0xff, 7, 2, 1];
    endless.extend([b'x'; 513]);
    let table: [(&str, Vec<u8>, WireError); 10] = [
        ("a request", vec![VERSION, 3, 0, 0], WireError::Kind(3)),
        ("a secret cut short", unsealed[..unsealed.len() - 1].to_vec(), WireError::Truncated),
        ("a secret too long", long, WireError::Trailing),
        ("an unknown failure", vec![VERSION, 0xff, 99, 0, 0], WireError::Field("failure")),
        ("words where none belong", vec![VERSION, 0xff, 2, 0, 1, b'x'], WireError::Field("text")),
        ("words of two lines", vec![VERSION, 0xff, 7, 0, 1, b'\n'], WireError::Field("text")),
        ("words without end", endless, WireError::Field("text")),
        ("a failure without words", vec![VERSION, 0xff, 7], WireError::Truncated),
        ("neither locked nor not", vec![VERSION, 0x83, 0, 0, 0, 0, 0, 0, 2], WireError::Field("in-lockout")),
        ("a maker that is no text", vec![VERSION, 0x83, 0, 1, 0xff], WireError::Field("manufacturer")),
    ];
    for (what, body, error) in table {
        assert_eq!(Response::decode(&body).err(), Some(error), "{what}");
    }
}

#[test]
fn every_truncation_is_noticed() {
    for whole in requests() {
        for len in 0..whole.len() {
            assert!(Request::decode(&whole[..len]).is_err(), "cut to {len}");
        }
    }
    for whole in responses() {
        for len in 0..whole.len() {
            assert!(Response::decode(&whole[..len]).is_err(), "cut to {len}");
        }
    }
}

/// xorshift64*: the same run everywhere.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(value).unwrap() % bound
    }
}

#[test]
fn ten_thousand_mutations_do_no_harm() {
    let mut random = Seeded(0x746f_6b65_6e76_6c74);
    let seeds: Vec<Vec<u8>> = requests().into_iter().chain(responses()).collect();
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..10_000 {
        let mut body = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            match random.below(4) {
                0 => body.truncate(random.below(body.len() + 1)),
                1 => body.insert(random.below(body.len() + 1), random.below(256) as u8),
                2 if !body.is_empty() => {
                    body.remove(random.below(body.len()));
                }
                _ if !body.is_empty() => {
                    let at = random.below(body.len());
                    body[at] ^= 1 << random.below(8);
                }
                _ => {}
            }
        }
        // Whatever is accepted is exactly what would be sent again: there is one form of every message.
        match (Request::decode(&body), Response::decode(&body)) {
            (Ok(_), Ok(_)) => panic!("one message for both directions"),
            (Ok(request), _) => assert_eq!(sent(&request), body),
            (_, Ok(response)) => assert_eq!(answered(&response), body),
            _ => {
                refused += 1;
                continue;
            }
        }
        accepted += 1;
    }
    assert!(refused > 500 && accepted > 500, "{refused} refused, {accepted} accepted: nothing was tried");
}

#[test]
fn every_step_and_every_count_arrives_as_it_was_sent() {
    let steps = [
        CounterStep::Read,
        CounterStep::Make,
        CounterStep::Raise { from: 0 },
        CounterStep::Raise { from: u64::MAX },
        CounterStep::Remove,
    ];
    for sent in steps {
        let body = count(sent);
        let Ok(Request { operation: Operation::Count { index, root_key_name, auth, step }, .. }) =
            Request::decode(&body)
        else {
            panic!("{sent:?} is another operation");
        };
        assert_eq!((index, root_key_name, auth, step), (0x0180_0001, &[0, 11, 1, 2][..], &SECRET, sent));
    }
    for sent in [Counted::Missing, Counted::Foreign, Counted::At(0), Counted::At(u64::MAX)] {
        let body = answered(&Response::Counted(sent));
        assert!(matches!(Response::decode(&body), Ok(Response::Counted(got)) if got == sent), "{sent:?}");
    }
}

#[test]
fn what_is_no_step_and_no_count_is_refused() {
    let mut step = count(CounterStep::Read);
    let at = step.len() - 9;
    for (kind, from) in [(4, 0), (255, 0), (0, 1), (1, 1), (3, 1)] {
        step[at] = kind;
        step[at + 8] = from;
        assert_eq!(Request::decode(&step).err(), Some(WireError::Field("step")), "{kind} {from}");
    }
    let mut counted = answered(&Response::Counted(Counted::Missing));
    let at = counted.len() - 9;
    for (kind, value) in [(3, 0), (0, 1), (1, 1)] {
        counted[at] = kind;
        counted[at + 8] = value;
        assert_eq!(Response::decode(&counted).err(), Some(WireError::Field("counter")), "{kind} {value}");
    }
}
