//! What is in a backup.

use minicbor::Encoder;

use crate::seed;

/// Items of a backup, each behind its length.
pub fn write() {
    let mut encoder = Encoder::new(Vec::new());
    encoder
        .array(3)
        .unwrap()
        .u8(0)
        .unwrap()
        .str("token")
        .unwrap()
        .array(2)
        .unwrap()
        .str("id")
        .unwrap()
        .str("meta")
        .unwrap();
    let table = encoder.into_writer();
    let mut encoder = Encoder::new(Vec::new());
    encoder.array(3).unwrap().u8(1).unwrap().i64(-7).unwrap().bytes(&[1; 40]).unwrap();
    let row = encoder.into_writer();
    let short = |item: &[u8]| [&(item.len() as u16).to_be_bytes()[..], item].concat();
    let long = |item: &[u8]| [&(item.len() as u32).to_be_bytes()[..], item].concat();
    seed("items", "whole", &[1], &[short(&table), short(&row), short(&row)].concat());
    seed("items", "nothing", &[1], &[]);
    seed("items", "text", &[0], &[long(&table), long(&row)].concat());
    let meta = [&b"\x83\0\x64meta\x82\x63key\x65value"[..], b"\x83\x01\x68vault-id\x50\x03\x03\x03\x03"];
    seed("items", "meta", &[0], &[long(meta[0]), long(meta[1])].concat());
}
