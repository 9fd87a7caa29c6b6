//! Somebody who can write the store and has no key works on chunks: nothing but the value comes out, and never a part of it
//! without an end that is told.

use rusqlite::types::Value;
use tokenvault_core::token::OpenedValue;

use crate::fixture::*;

/// Chunks of `a`: content 1, two versions of it: content 1 and 2; `b`: content 3. Four chunks each.
fn written() -> Home {
    let home = Home::new();
    home.alice().attach("a", &long(3, 1)).unwrap();
    home.alice().attach("a", &long(3, 2)).unwrap();
    home.alice().attach("b", &long(3, 3)).unwrap();
    home
}

const fn chunk(content: i64, number: i64) -> i64 {
    content << 9 | number
}

/// What comes of reading the current version of `a` to its end: refused, and nothing before that was another value's.
#[track_caller]
fn assert_damaged(home: &Home, what: &str) {
    let alice = home.alice();
    let opened = match alice.open("a") {
        Err(error) => return assert_eq!(Refused::from(&error), Refused::Quarantined, "{what}"),
        Ok(opened) => opened.value,
    };
    let OpenedValue::Chunked(first, mut rest) = opened else { panic!("{what}: it is in one piece") };
    let mut seen = first.expose().to_vec();
    let error = loop {
        match home.vault().read_chunk(&mut rest) {
            Ok(Some(part)) => seen.extend_from_slice(part.expose()),
            Ok(None) => panic!("{what}: it was read to its end"),
            Err(error) => break error,
        }
    };
    assert_eq!(Refused::from(&error), Refused::Quarantined, "{what}");
    assert!(long(3, 2).starts_with(&seen), "{what}: something else came out");
}

#[test]
fn untouched_chunks_open() {
    let mut home = written();
    home.restart();
    assert!(home.alice().get("a").unwrap() == long(3, 2));
    assert!(home.alice().get_version("a", 1).unwrap() == long(3, 1));
}

#[test]
fn chunks_that_are_exchanged_doubled_or_missing_are_found() {
    for number in 0..4 {
        for other in (0..4).filter(|other| *other != number) {
            let mut home = written();
            home.tamper(|file| file.swap("chunk", &["body"], (chunk(2, number), chunk(2, other))));
            assert_damaged(&home, &format!("{number} and {other} exchanged"));
            let mut home = written();
            home.tamper(|file| {
                let body = file.value("SELECT body FROM chunk WHERE id = ?1", [chunk(2, other)]);
                file.change("UPDATE chunk SET body = ?2 WHERE id = ?1", (chunk(2, number), body));
            });
            assert_damaged(&home, &format!("{other} in place of {number}"));
        }
        let mut home = written();
        home.tamper(|file| file.change("DELETE FROM chunk WHERE id = ?1", [chunk(2, number)]));
        assert_damaged(&home, &format!("{number} deleted"));
    }
}

#[test]
fn a_value_is_not_cut_short_or_made_longer_by_its_rows() {
    let mut home = written();
    home.tamper(|file| {
        file.change("DELETE FROM chunk WHERE id = ?1", [chunk(2, 3)]);
        file.change("UPDATE version SET stored_bytes = stored_bytes - 65536 WHERE content = 2", []);
    });
    assert_damaged(&home, "the last chunk cut off");
    let mut home = written();
    home.tamper(|file| {
        let body = file.value("SELECT body FROM chunk WHERE id = ?1", [chunk(2, 3)]);
        file.change("INSERT INTO chunk (id, body) VALUES (?1, ?2)", (chunk(2, 4), body));
    });
    assert!(home.alice().get("a").unwrap() == long(3, 2), "what is behind the end is never looked at");
}

#[test]
fn chunks_of_another_version_or_token_do_not_open() {
    for other in [1, 3] {
        for number in 0..4 {
            let mut home = written();
            home.tamper(|file| {
                let body = file.value("SELECT body FROM chunk WHERE id = ?1", [chunk(other, number)]);
                file.change("UPDATE chunk SET body = ?2 WHERE id = ?1", (chunk(2, number), body));
            });
            assert_damaged(&home, &format!("chunk {number} of content {other}"));
        }
        let mut home = written();
        home.tamper(|file| file.change("UPDATE version SET content = ?1 WHERE content = 2", [other]));
        assert_damaged(&home, &format!("content {other} in its place"));
    }
}

#[test]
fn a_version_does_not_open_without_its_content_or_with_one_it_never_had() {
    let mut home = written();
    home.tamper(|file| file.change("UPDATE version SET content = NULL WHERE content = 2", []));
    assert_damaged(&home, "no content");
    let mut home = written();
    home.tamper(|file| file.change("UPDATE content SET uses = 0 WHERE id = 2", []));
    assert_damaged(&home, "a content nobody is said to use");
    let mut home = written();
    home.alice().put("short", b"value").unwrap();
    home.tamper(|file| file.change("UPDATE version SET content = 2 WHERE content IS NULL", []));
    assert_eq!(refused(home.alice().get("short")), Refused::Quarantined);
}

#[test]
fn a_flipped_bit_anywhere_in_a_chunk_is_found() {
    let mut random = Random::new(11);
    for number in 0..4 {
        for place in [0, 1, 33, 65, 65_536, 65_616].into_iter().chain((0..6).map(|_| random.next() as usize % 65_617)) {
            let mut home = written();
            home.tamper(|file| {
                let Value::Blob(mut body) = file.value("SELECT body FROM chunk WHERE id = ?1", [chunk(2, number)])
                else {
                    panic!("no blob")
                };
                body[place] ^= 1 << (place % 8);
                file.change("UPDATE chunk SET body = ?2 WHERE id = ?1", (chunk(2, number), Value::Blob(body)));
            });
            assert_damaged(&home, &format!("byte {place} of chunk {number}"));
        }
    }
}

#[test]
fn a_chunk_that_became_longer_or_shorter_is_found() {
    for change in ["CAST(body || x'00' AS BLOB)", "substr(body, 1, 65616)", "substr(body, 1, 80)", "x''"] {
        let mut home = written();
        home.tamper(|file| {
            file.change(&format!("UPDATE chunk SET body = {change} WHERE id = ?1"), [chunk(2, 1)]);
        });
        assert_damaged(&home, change);
    }
}

#[test]
fn chunks_of_an_earlier_state_do_not_come_back() {
    let mut home = Home::new();
    home.alice().attach("a", &long(3, 1)).unwrap();
    home.stop();
    let before = home.copy();
    home.start(tokenvault_core::vault::Settings::default());
    home.unseal().unwrap();
    home.alice().delete("a").unwrap();
    home.alice().attach("a", &long(3, 2)).unwrap();
    home.tamper(|file| {
        file.attach(&before.path().join("vault.db"));
        for number in 0..4 {
            let body = file.value("SELECT body FROM theirs.chunk WHERE id = ?1", [chunk(1, number)]);
            file.change("UPDATE chunk SET body = ?2 WHERE id = ?1", (chunk(2, number), body));
        }
    });
    assert_damaged(&home, "all chunks of the deleted one");
}
