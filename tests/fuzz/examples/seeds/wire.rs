//! What comes over sockets.

use std::collections::HashMap;

use tokenvault_proto::{
    IssuedInfo, OBJECT_PATH, OfferInfo, ShareInfo, Status, TOKENS_INTERFACE, TokenInfo, VersionInfo, WhoAmI,
};
use zbus::wire::serialized::Context;
use zbus::wire::{Endian, to_bytes};
use zbus::{Message, Variant};

use crate::seed;

pub fn replies() {
    let context = Context::new(Endian::Little, 0);
    let token = TokenInfo { name: "prod/api-key".into(), owner: "uid:1001".into(), ..TokenInfo::default() };
    let issued = IssuedInfo { kind: "token".into(), scopes: vec!["read".into()], ..IssuedInfo::default() };
    seed("replies", "list", &[0, 0], &to_bytes(context, &(vec![token.clone(), token], "next")).unwrap());
    seed("replies", "status", &[1, 0], &to_bytes(context, &Status::default()).unwrap());
    seed("replies", "who-am-i", &[2, 0], &to_bytes(context, &WhoAmI::default()).unwrap());
    seed("replies", "versions", &[3, 0], &to_bytes(context, &vec![VersionInfo::default()]).unwrap());
    seed("replies", "shares", &[4, 0], &to_bytes(context, &vec![ShareInfo::default()]).unwrap());
    seed("replies", "validate", &[5, 0], &to_bytes(context, &(true, issued)).unwrap());
    let value = TokenInfo { size: 5, ..TokenInfo::default() };
    let value = to_bytes(context, &(0_u32, value)).unwrap();
    seed("replies", "get", &[6, 8, 0x11, 5], &value);
    seed("replies", "get-stream", &[7, 8, 0x11, 5], &value);
    seed("replies", "generate-two", &[8, 8, 0x22, 5], &value);
    seed("replies", "issue", &[9, 0], &to_bytes(context, &("token", "id", 7_u64)).unwrap());
    seed("replies", "offer", &[10, 0], &to_bytes(context, &("code", OfferInfo::default())).unwrap());
    seed("replies", "issued", &[11, 0], &to_bytes(context, &(vec![IssuedInfo::default()], "next")).unwrap());
    seed("replies", "error", &[1, 4], &to_bytes(context, &"there is no such token").unwrap());
    seed("replies", "greeting", &[1, 7], b"REJECTED EXTERNAL\r\n");
    let message = Message::signal("/org/tokenvault1", "org.tokenvault1.Manager", "Changed");
    seed("replies", "message", &[1, 6], message.build(&()).unwrap().data());
}

/// Calls as a client of the vault makes them, one behind the other.
fn calls(sender: Option<&'static str>) -> Vec<u8> {
    let options: HashMap<&str, Variant<'_>> = HashMap::from([("purpose", Variant::from("backup"))]);
    let call = |member: &'static str| {
        let call = Message::method_call(OBJECT_PATH, member).interface(TOKENS_INTERFACE);
        match sender {
            Some(sender) => call.sender(sender),
            None => call,
        }
    };
    let (pipe, _) = std::io::pipe().unwrap();
    let get = call("Get").build(&("prod/api-key", &options)).unwrap();
    let put = call("Put").build(&("prod/api-key", zbus::Fd::from(&pipe), &options)).unwrap();
    let ping = Message::method_call("/", "Ping").interface("org.freedesktop.DBus.Peer").build(&()).unwrap();
    [put, get, ping].iter().flat_map(|call| call.data().bytes().to_vec()).collect()
}

pub fn door() {
    seed("door", "greeting", &[0], b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n");
    seed(
        "door",
        "rejected",
        &[0],
        b"\0AUTH ANONYMOUS\r\nAUTH EXTERNAL 30\r\nCANCEL\r\nERROR\r\nAUTH EXTERNAL\r\nDATA 30\r\n",
    );
    seed("door", "calls", &[4], &calls(None));
    seed("door", "without", &[2], &calls(None));
    seed("door", "descriptor", &[6 + 8], &calls(None));
    seed("door", "big-endian", &[4], Message::method_call("/", "A").endian(Endian::Big).build(&"a").unwrap().data());
}

pub fn bus() {
    seed("bus", "greeting", &[0], b"OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n");
    seed("bus", "rejected", &[0], b"REJECTED EXTERNAL\r\n");
    seed("bus", "calls", &[1], &calls(Some(":1.9")));
    seed("bus", "descriptor", &[5 + 8], &calls(Some(":1.9")));
    let signal = Message::signal("/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged");
    seed("bus", "signal", &[1], signal.build(&("a.b", ":1.9", "")).unwrap().data());
    let large = Message::method_call("/a", "B").sender(":1.9").build(&"l".repeat(300 << 10)).unwrap();
    seed("bus", "large", &[1], &large.data()[..4096]);
}
