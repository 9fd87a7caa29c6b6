//! Writes the seeds of all targets anew: `cargo run -p tokenvault-fuzz --example seeds`. What is random in them is different each time.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a generator that cannot go on stops"
)]

mod c;
mod items;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use tokenvault_core::backup::{BackupKeys, BackupWriter, Header};
use tokenvault_core::crypto::{hpke, random};
use tokenvault_core::issued::{IssuedId, random_secret, write};
use tokenvault_core::keyring::Keyring;
use tokenvault_core::port::{Cancelled, Cell, CounterStep, HeapMemory, Progress, RowSink, SealError, SealedBlob};
use tokenvault_core::slot::SlotMaker;
use tokenvault_core::token::{TokenMeta, VersionMeta};
use tokenvault_core::{Secret, Timestamp};
use tokenvault_proto::write_key;
use tokenvault_tpm::{MAX_MESSAGE, Operation, PREFIX, Request, Response};
use zbus::Variant;
use zbus::wire::serialized::Context;
use zbus::wire::{Endian, to_bytes};

fn seed(target: &str, name: &str, kind: &[u8], bytes: &[u8]) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join(name), [kind, bytes].concat()).unwrap();
}

fn secret(byte: u8) -> Secret {
    Secret::copy_from(&HeapMemory, &[byte; 32]).unwrap()
}

fn main() {
    worker();
    tokens();
    config();
    options();
    backup();
    rows();
    wire::replies();
    wire::door();
    wire::bus();
    c::calls();
    items::write();
}

fn worker() {
    let blob = SealedBlob {
        root_key_name: vec![1; 34],
        public: vec![2; 78],
        private: vec![3; 160],
        policy: vec![4; 32],
        pcrs: vec![7],
    };
    let operations = [
        ("seal", Operation::Seal { secret: &[5; 32], pcrs: &[0, 7] }),
        ("unseal", Operation::Unseal(blob.clone())),
        ("status", Operation::Status),
        (
            "count",
            Operation::Count { index: 0x0180_0001, root_key_name: &[1; 34], auth: &[6; 32], step: CounterStep::Read },
        ),
    ];
    for (name, operation) in operations {
        let mut buffer = [0; MAX_MESSAGE];
        let len = Request { tcti: "device:/dev/tpmrm0", operation }.encode(&mut buffer).unwrap();
        seed("worker", name, &[0], &buffer[PREFIX..len]);
    }
    let responses = [
        ("sealed", Response::Sealed(blob)),
        ("unsealed", Response::Unsealed(&[5; 32])),
        ("failed", Response::Failed(SealError::NoTpm("/dev/tpmrm0 is not there".into()))),
    ];
    for (name, response) in responses {
        let mut buffer = [0; MAX_MESSAGE];
        let len = response.encode(&mut buffer).unwrap();
        seed("worker", name, &[1], &buffer[PREFIX..len]);
    }
}

fn tokens() {
    let id = IssuedId::random().unwrap();
    seed("tokens", "token", &[0], write(id, &random_secret().unwrap()).as_bytes());
    seed("tokens", "checked", &[10], write(id, &random_secret().unwrap()).as_bytes());
    seed("tokens", "presented", &[11], write(id, &random_secret().unwrap()).as_bytes());
    seed("tokens", "id", &[1], id.to_string().as_bytes());
    seed("tokens", "code", &[2], b"123456");
    seed("tokens", "name", &[3], "prod/api-key \u{e9}".as_bytes());
    seed("tokens", "grantee", &[4], b"unit:web@1.service");
    seed("tokens", "group", &[4], b"group:ops");
    seed("tokens", "unit", &[5], b"web@1.service");
    seed("tokens", "type", &[6], b"text/plain; charset=utf-8");
    seed("tokens", "hint", &[7], b"for the night run");
    let mut key = Vec::new();
    write_key(&[9; 32], |byte| key.push(byte));
    seed("tokens", "key", &[8], &key);
    seed("tokens", "address", &[9], b"unix:path=/run/tokenvault/bus");
}

fn config() {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/tokenvault.conf");
    seed("config", "installed", &[], &fs::read(installed).unwrap());
    seed("config", "roles", &[], b"[users.roles]\nadmin = [\"group:wheel\"]\n[limits]\nvalue-bytes = 1024\n");
}

fn options() {
    let context = Context::new(Endian::Little, 0);
    let put: HashMap<&str, Variant<'_>> = HashMap::from([
        ("mode", Variant::from("create")),
        ("expect-version", Variant::from(3_u64)),
        ("attributes", Variant::from(HashMap::from([("env", "prod")]))),
        ("keep-versions", Variant::from(5_u32)),
        ("require-purpose", Variant::from(true)),
    ]);
    seed("options", "put", &[16, 0], &to_bytes(context, &put).unwrap());
    let issue: HashMap<&str, Variant<'_>> =
        HashMap::from([("scopes", Variant::from(vec!["read", "write"])), ("ttl", Variant::from(1_000_u64))]);
    seed("options", "issue", &[11, 0], &to_bytes(context, &issue).unwrap());
    let none: HashMap<&str, Variant<'_>> = HashMap::new();
    seed("options", "none", &[14, 0], &to_bytes(context, &none).unwrap());
}

struct Unwatched;

impl Progress for Unwatched {
    fn report(&self, _done: u64, _total: u64) -> Result<(), Cancelled> {
        Ok(())
    }
}

fn backup() {
    let public = hpke::public_key(&secret(9)).unwrap();
    let mut out = Vec::new();
    let header = Header::new([3; 16], [4; 16], 7, Timestamp::from_usec(1_700_000_000_000_000));
    let vouching = random::secret(&HeapMemory, 32).unwrap();
    let keys = BackupKeys { recipients: &[public], vouching, memory: &HeapMemory };
    let mut writer = BackupWriter::begin(&mut out, header, keys, (&Unwatched, 0)).unwrap();
    assert!(writer.table("meta", &["key", "value"]));
    assert!(writer.row(&[Cell::Text("vault-id"), Cell::Blob(&[3; 16])]));
    writer.finish().unwrap();
    seed("backup", "small", &[], &out);
}

fn rows() {
    let (vk, memory) = (secret(1), &HeapMemory);
    let keyring = Keyring::generate(memory).unwrap();
    let created = Timestamp::from_usec(1_700_000_000_000_000);
    let maker = SlotMaker { vault_id: &[3; 16], vk: &vk, keyring: &keyring, memory, created };
    let public = hpke::public_key(&secret(9)).unwrap();
    let params = "$argon2id$v=19$m=65536,t=3,p=1";
    seed("rows", "recovery", &[0, 1], &maker.recovery(&public).unwrap().body);
    seed("rows", "passphrase", &[0, 2], &maker.passphrase(&secret(2), &[8; 16], params).unwrap().body);
    seed("rows", "host-key", &[0, 3], &maker.host_key(&secret(3)).unwrap().body);
    seed("rows", "keyring", &[1], &[0, 1, 2, 3, 4, 5]);
    let token = TokenMeta {
        name: "prod/api-key".into(),
        attributes: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        created,
        updated: created,
        keep_versions: 10,
        require_purpose: true,
        shared: false,
    };
    seed("rows", "token", &[4], &minicbor::to_vec(&token).unwrap());
    let version = VersionMeta {
        size: 7,
        created,
        expires: Some(created),
        content_type: "text/plain".into(),
        deadline: None,
        dek_term: Some(2),
    };
    seed("rows", "version", &[5], &minicbor::to_vec(&version).unwrap());
}
