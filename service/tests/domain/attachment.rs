//! Values in chunks: whole or not there, counted, shared by versions, and gone when they are.

use tokenvault_core::Error;
use tokenvault_core::caller::Door;
use tokenvault_core::crypto::chunk::CHUNK_BYTES;
use tokenvault_core::name::ContentType;
use tokenvault_core::token::{Annotation, Class, OpenedValue, PutMode, PutOptions};

use crate::fixture::*;

/// What counts against the quota for each chunk.
const CHUNK: u64 = CHUNK_BYTES as u64;

/// Contents and chunks that lie in the file.
fn left(home: &Home) -> (i64, i64) {
    home.database().pairs("SELECT (SELECT count(*) FROM content), (SELECT count(*) FROM chunk)")[0]
}

#[track_caller]
fn wait_for(home: &Home, contents_and_chunks: (i64, i64)) {
    wait_until("what is left over to be removed", || left(home) == contents_and_chunks);
}

fn limit_of<T>(result: Result<T, Error>) -> &'static str {
    match result {
        Err(Error::LimitsExceeded { limit, .. }) => limit,
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn a_value_in_chunks_comes_back_whatever_its_length_and_over_a_restart() {
    let mut home = Home::new();
    let lengths = [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 5 * CHUNK_BYTES + 77];
    for len in lengths {
        let value = &long(6, 3)[..len];
        let info = home.alice().attach(&format!("of-{len}"), value).unwrap();
        assert_eq!((info.size, info.version), (len as u64, 1));
    }
    home.restart();
    for len in lengths {
        assert!(home.alice().get(&format!("of-{len}")).unwrap() == long(6, 3)[..len], "{len}");
    }
    assert_eq!(refused(home.bob().get("of-1")), Refused::NotFound);
    home.check_counters();
}

#[test]
fn the_longest_value_is_taken_and_one_byte_more_is_not() {
    let home = Home::new();
    home.set(|settings| settings.attachment_bytes = 0);
    let longest = vec![7; 16 << 20];
    assert_eq!(home.alice().attach("t", &longest).unwrap().size, 16 << 20);
    assert!(home.alice().get("t").unwrap() == longest);
    let longer = vec![7; (16 << 20) + 1];
    assert_eq!(refused(home.alice().attach("u", &longer)), Refused::InvalidArgs);
    home.set(|settings| settings.attachment_bytes = 100_000);
    home.alice().attach("u", &longest[..100_000]).unwrap();
    let error = home.alice().attach("v", &longest[..100_001]).unwrap_err();
    assert!(error.to_string().contains("100000 bytes (limit 'attachment-bytes')"), "{error}");
}

#[test]
fn a_version_is_there_when_all_of_it_is_and_not_before() {
    let home = Home::new();
    let (alice, value) = (home.alice(), long(3, 1));
    alice.put("t", b"before").unwrap();
    let (begin, end) = value.split_at(2 * CHUNK_BYTES);
    let mut upload = alice.begin_upload("t", &alice.options()).unwrap();
    alice.feed(&mut upload, begin, false).unwrap();
    assert_eq!((alice.get("t").unwrap(), alice.versions("t").unwrap().len()), (b"before".to_vec(), 1));
    assert_eq!(refused(alice.get("u")), Refused::NotFound);
    // Somebody else writes in between.
    alice.put("t", b"meanwhile").unwrap();
    alice.feed(&mut upload, end, true).unwrap();
    assert_eq!(alice.finish_upload("t", alice.options(), upload).unwrap().version, 3);
    assert!(alice.get("t").unwrap() == value);
    assert_eq!(alice.get_version("t", 2).unwrap(), b"meanwhile");
    home.check_counters();
}

#[test]
fn what_is_given_up_leaves_nothing_and_gives_the_quota_back() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"before").unwrap();
    let usage = alice.usage().unwrap();
    let mut upload = alice.begin_upload("t", &alice.options()).unwrap();
    alice.feed(&mut upload, &long(3, 1)[..3 * CHUNK_BYTES], false).unwrap();
    assert_eq!(alice.usage().unwrap(), (usage.0, usage.1 + 3 * CHUNK), "what comes is counted as it comes");
    assert_eq!(left(&home), (1, 3));
    drop(upload);
    wait_for(&home, (0, 0));
    assert_eq!(alice.usage().unwrap(), usage);
    assert_eq!(alice.get("t").unwrap(), b"before");
}

#[test]
fn a_value_whose_end_has_not_come_is_not_stored() {
    let home = Home::new();
    let alice = home.alice();
    let mut upload = alice.begin_upload("t", &alice.options()).unwrap();
    alice.feed(&mut upload, &long(2, 1)[..2 * CHUNK_BYTES], false).unwrap();
    assert_eq!(refused(alice.finish_upload("t", alice.options(), upload)), Refused::Internal);
    let mut upload = alice.begin_upload("t", &alice.options()).unwrap();
    alice.feed(&mut upload, b"short", true).unwrap();
    assert_eq!(refused(alice.feed(&mut upload, b"more", true)), Refused::Internal);
    drop(upload);
    assert_eq!(refused(alice.get("t")), Refused::NotFound);
    wait_for(&home, (0, 0));
}

#[test]
fn what_would_be_refused_at_the_end_is_refused_at_the_beginning_and_at_the_end() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("there", b"1").unwrap();
    let begin = |name: &str, options: PutOptions| refused(alice.begin_upload(name, &options));
    let plain = || alice.options();
    assert_eq!(begin("there", PutOptions { mode: PutMode::Create, ..plain() }), Refused::Exists);
    assert_eq!(begin("new", PutOptions { mode: PutMode::Replace, ..plain() }), Refused::NotFound);
    assert_eq!(begin("there", PutOptions { expect_version: Some(7), ..plain() }), Refused::Conflict);
    assert_eq!(begin("new", PutOptions { class: Some(Class::Login), ..plain() }), Refused::Locked);
    assert_eq!(begin("new", PutOptions { keep_versions: Some(0), ..plain() }), Refused::InvalidArgs);
    assert_eq!(left(&home), (0, 0));
    let create = PutOptions { mode: PutMode::Create, ..plain() };
    let mut upload = alice.begin_upload("race", &create).unwrap();
    alice.feed(&mut upload, &long(1, 1), true).unwrap();
    alice.put("race", b"first").unwrap();
    assert_eq!(refused(alice.finish_upload("race", create, upload)), Refused::Exists);
    wait_for(&home, (0, 0));
    assert_eq!(alice.get("race").unwrap(), b"first");
    home.check_counters();
}

#[test]
fn chunks_count_against_the_quota_with_all_versions() {
    let home = Home::new();
    let alice = home.alice();
    for number in 0..3 {
        alice.attach("t", &long(2, number)).unwrap();
    }
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + 3 * (3 * CHUNK + 256)));
    home.set(|settings| settings.bytes = 12 * CHUNK);
    assert_eq!(limit_of(alice.attach("t", &long(3, 9))), "bytes");
    wait_for(&home, (3, 9));
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + 3 * (3 * CHUNK + 256)), "what was refused is not counted");
    alice.attach("u", &long(0, 1)).unwrap();
    home.check_counters();
}

#[test]
fn versions_beyond_those_that_are_kept_go_with_their_chunks() {
    let home = Home::new();
    let alice = home.alice();
    let keep = || PutOptions { keep_versions: Some(2), ..PutOptions::default() };
    for number in 0..5 {
        alice.attach_with("t", &long(1, number), keep()).unwrap();
    }
    wait_for(&home, (2, 4));
    assert!(alice.get_version("t", 4).unwrap() == long(1, 3));
    alice.put("t", b"short").unwrap();
    alice.put("t", b"shorter").unwrap();
    wait_for(&home, (0, 0));
    home.check_counters();
}

#[test]
fn a_deleted_value_is_gone_at_once_and_its_chunks_soon() {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    alice.attach("t", &long(20, 1)).unwrap();
    alice.attach("t", &long(1, 2)).unwrap();
    bob.attach("t", &long(1, 3)).unwrap();
    alice.delete_version("t", 2).unwrap();
    assert!(alice.get("t").unwrap() == long(20, 1));
    wait_for(&home, (2, 23));
    alice.delete("t").unwrap();
    assert_eq!(refused(alice.get("t")), Refused::NotFound);
    assert_eq!(alice.usage().unwrap(), (0, 0));
    wait_for(&home, (1, 2));
    assert!(bob.get("t").unwrap() == long(1, 3));
}

#[test]
fn a_reader_gets_all_of_what_it_began_or_finds_an_end_when_it_is_deleted() {
    let home = Home::new();
    let (alice, value) = (home.alice(), long(4, 1));
    alice.attach("t", &value).unwrap();
    let begun = |name: &str| alice.open(name).unwrap().value;
    let (replaced, renamed) = (begun("t"), begun("t"));
    alice.attach("t", &long(4, 2)).unwrap();
    assert!(alice.read_on(replaced).unwrap() == value, "another version changes nothing for it");
    alice.rename("t", "u").unwrap();
    assert!(alice.read_on(renamed).unwrap() == value, "nor does another name");
    let deleted = begun("u");
    alice.delete("u").unwrap();
    assert_eq!(refused(alice.read_on(deleted)), Refused::NotFound);
}

#[test]
fn a_sealed_vault_gives_no_more_chunks() {
    let home = Home::new();
    let alice = home.alice();
    alice.attach("t", &long(4, 1)).unwrap();
    let OpenedValue::Chunked(_, mut rest) = alice.open("t").unwrap().value else { panic!("it is in one piece") };
    home.vault().seal(&alice.caller).unwrap();
    assert_eq!(refused(home.vault().read_chunk(&mut rest)), Refused::Sealed);
    home.unseal().unwrap();
    assert!(home.vault().read_chunk(&mut rest).is_err(), "what was opened before is of no use after");
    assert!(alice.get("t").unwrap() == long(4, 1));
}

#[test]
fn rollback_gives_the_chunks_to_one_more_version_and_each_can_go_first() {
    for first in [1, 3] {
        let home = Home::new();
        let (alice, value) = (home.alice(), long(2, 1));
        let options = PutOptions { content_type: Some(ContentType::parse("image/png").unwrap()), ..alice.options() };
        alice.attach_with("t", &value, options).unwrap();
        alice.put("t", b"short").unwrap();
        let info = alice.rollback("t", 1).unwrap();
        assert_eq!((info.version, info.size, info.content_type.as_str()), (3, value.len() as u64, "image/png"));
        assert!(alice.get("t").unwrap() == value);
        assert_eq!(left(&home), (1, 3));
        home.check_counters();
        alice.delete_version("t", first).unwrap();
        assert!(alice.get_version("t", 4 - first).unwrap() == value, "it went with version {first}");
        assert_eq!(alice.rollback("t", 2).unwrap().version, 4);
        alice.delete("t").unwrap();
        wait_for(&home, (0, 0));
        assert_eq!(alice.usage().unwrap(), (0, 0));
    }
}

#[test]
fn what_is_known_of_a_value_in_chunks_changes_as_of_any_other() {
    let home = Home::new();
    let (alice, value) = (home.alice(), long(2, 1));
    alice.attach("t", &value).unwrap();
    alice.annotate("t", Annotation { require_purpose: Some(true), ..Annotation::default() }).unwrap();
    assert_eq!(refused(alice.get("t")), Refused::AccessDenied);
    assert!(alice.get_for("t", "to see it").unwrap() == value);
    assert_eq!(alice.versions("t").unwrap()[0].size, value.len() as u64);
    home.check_counters();
}

#[test]
fn an_offer_gives_a_value_in_chunks_once() {
    let home = Home::new();
    let (alice, value) = (home.alice(), long(3, 1));
    alice.attach("t", &value).unwrap();
    let code = alice.offer("t").unwrap().code.to_string();
    assert!(home.bob().redeem(&code).unwrap() == value);
    assert_eq!(refused(home.bob().redeem(&code)), Refused::OfferOver);
}

#[test]
fn root_stores_machine_tokens_in_chunks_and_units_get_those_systemd_takes() {
    use tokenvault_core::token::CredentialRefusal;
    use tokenvault_core::unit::UnitName;

    let home = Home::new();
    let root = home.root();
    let load = |id: &str| {
        let manager = tokenvault_core::Caller { door: Door::Credential, ..user::caller(ROOT) };
        let unit = UnitName::parse("app.service").unwrap();
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let reply = Box::new(move |result| drop(sender.send(result)));
        home.vault().load_credential(&manager, &unit, id, reply);
        receiver.recv().unwrap().map(|credential| credential.value.expose().to_vec())
    };
    let longest = (1 << 20) - "fits".len();
    for (id, len) in [("fits", longest), ("over", longest + 1)] {
        for uses in [None, Some(1)] {
            root.attach(id, &long(16, 1)[..len]).unwrap();
            root.share_with(id, "unit:app.service", None, uses).unwrap();
            match load(id) {
                Ok(value) => assert!(id == "fits" && value == long(16, 1)[..len]),
                Err(CredentialRefusal::TooLarge { size, limit }) => {
                    assert_eq!((id, size, limit), ("over", longest as u64 + 1, longest as u64));
                }
                Err(other) => panic!("{id}: {other}"),
            }
        }
    }
}

#[test]
fn a_purge_takes_what_comes_in_with_it() {
    let home = Home::new();
    let alice = home.alice();
    alice.attach("t", &long(3, 1)).unwrap();
    let mut upload = alice.begin_upload("u", &alice.options()).unwrap();
    alice.feed(&mut upload, &long(1, 1)[..CHUNK_BYTES], false).unwrap();
    home.vault().purge_user(&home.root().caller, ALICE).unwrap();
    assert_eq!(refused(alice.feed(&mut upload, &long(1, 1)[CHUNK_BYTES..], true)), Refused::Unavailable);
    drop(upload);
    wait_for(&home, (0, 0));
    home.check_counters();
}
