//! Whatever is done to a wrapped message, it opens to what was put in or not at all.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

use tokenvault_core::Secret;
use tokenvault_core::crypto::{Aad, CryptoError, wrap};
use tokenvault_core::port::HeapMemory;

/// xorshift64*: the same sequence on every machine, so that a failure can be run again by its number.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// Everything `open` is given.
#[derive(Clone, PartialEq)]
struct Message {
    purpose: String,
    fields: [Vec<u8>; 3],
    blob: Vec<u8>,
}

impl Message {
    fn aad(&self) -> Aad {
        self.fields.iter().fold(Aad::new("row"), |aad, field| aad.bytes(field))
    }

    fn open(&self, key: &Secret) -> Result<Secret, CryptoError> {
        wrap::open(key, &self.purpose, self.aad().as_bytes(), &self.blob, &HeapMemory)
    }
}

fn mutate(message: &Message, sequence: &mut Sequence) -> Message {
    let mut changed = message.clone();
    let len = changed.blob.len();
    match sequence.below(8) {
        0..=2 => changed.blob[sequence.below(len)] ^= 1 << sequence.below(8),
        3 => changed.blob.truncate(sequence.below(len)),
        4 => changed.blob.extend((0..=sequence.below(40)).map(|at| at as u8)),
        5 => {
            changed.blob.remove(sequence.below(len));
        }
        6 => {
            let first = sequence.below(3);
            changed.fields.swap(first, (first + 1 + sequence.below(2)) % 3);
        }
        _ => {
            // A byte moves from one field to its neighbour: the joined bytes stay the same.
            let moved = changed.fields[1].remove(0);
            changed.fields[0].push(moved);
        }
    }
    changed
}

#[test]
fn two_thousand_changed_messages_all_stay_shut() {
    let key = Secret::copy_from(&HeapMemory, &[0x5a; 32]).unwrap();
    let mut sequence = Sequence(0x746f_6b65_6e76_6c74);
    for round in 0..2_000 {
        let plaintext: Vec<u8> = (0..sequence.below(300)).map(|_| sequence.next() as u8).collect();
        let fields = [vec![1; 5], vec![2, 3, 4], vec![9; 8]];
        let mut message = Message { purpose: "value".into(), fields, blob: Vec::new() };
        message.blob = wrap::seal(&key, "value", message.aad().as_bytes(), &plaintext).unwrap();
        assert!(message.open(&key).unwrap().expose() == plaintext, "round {round}");
        let changed = mutate(&message, &mut sequence);
        assert!(changed != message, "round {round} changed nothing");
        let refused = changed.open(&key).err();
        let expected = matches!(
            refused,
            Some(CryptoError::Truncated | CryptoError::UnknownFormat(_) | CryptoError::WrongKey | CryptoError::Damaged)
        );
        assert!(expected, "round {round}: {refused:?}");
    }
}

#[test]
fn the_same_message_is_never_encrypted_the_same_way_twice() {
    let key = Secret::copy_from(&HeapMemory, &[0x5a; 32]).unwrap();
    let seal = || wrap::seal(&key, "value", b"aad", b"plaintext").unwrap();
    let (first, second) = (seal(), seal());
    assert_eq!(first.len(), 9 + wrap::OVERHEAD);
    assert_ne!(first[1..33], second[1..33]);
    assert_ne!(first[65..], second[65..]);
}
