//! Calls against a stand-in for the daemon: values, errors, lost connections, deadlines, threads.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::Server;
use tokenvault_client::{Address, Client, Error, ErrorCode, GetOptions, PutOptions};

fn get(client: &Client, name: &str) -> Result<Vec<u8>, Error> {
    client.get(name, &GetOptions::default()).map(|value| value.data().to_vec())
}

fn put(client: &Client, name: &str, value: &[u8]) -> Result<u64, Error> {
    client.put(name, value, &PutOptions::default())
}

fn calls(server: &Server) -> usize {
    server.store.calls.load(Ordering::SeqCst)
}

#[test]
fn values_of_every_size_come_back_as_they_were_put() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let client = server.client();
    for size in [1, 2, 4095, 4096, 4097, 65535, 65536] {
        let value: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        assert_eq!(put(&client, "sized", &value), Ok(7));
        assert_eq!(get(&client, "sized").unwrap(), value, "{size} bytes");
    }
}

#[test]
fn a_value_larger_than_a_pipe_is_put_whole() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let value = vec![0xA5; 3 << 20];
    assert_eq!(put(&server.client(), "large", &value), Ok(7));
}

#[test]
fn a_short_value_is_a_timeout_and_a_long_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let client = server.client();
    assert_eq!(get(&client, "short").unwrap_err().code(), ErrorCode::Timeout);
    assert_eq!(get(&client, "long").unwrap_err().code(), ErrorCode::Failed);
    assert_eq!(get(&client, "fine").unwrap(), b"value");
}

#[test]
fn a_value_larger_than_a_pipe_is_fetched_whole() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let value: Vec<u8> = (0..1 << 20).map(|index| (index % 251) as u8).collect();
    server.store.values.lock().unwrap().insert("large".to_owned(), value.clone());
    assert!(get(&server.client(), "large").unwrap() == value);
}

#[test]
fn errors_of_the_daemon_keep_their_code_and_their_text() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let client = server.client();
    for entry in ErrorCode::TABLE {
        let error = get(&client, &format!("error/{}", entry.code.dbus_name())).unwrap_err();
        assert_eq!(error.code(), entry.code);
        assert!(error.to_string().contains("what happened; what to do"), "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
}

#[test]
fn errors_of_a_bus_are_mapped_and_say_where_to_look() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let error = get(&server.client(), "error/org.freedesktop.DBus.Error.ServiceUnknown").unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains("systemctl status tokenvaultd"), "{error}");
}

#[test]
fn an_answer_of_another_shape_is_failed_and_not_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    assert_eq!(get(&server.client(), "malformed").unwrap_err().code(), ErrorCode::Failed);
}

#[test]
fn names_that_no_message_can_carry_are_invalid_and_nothing_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let client = server.client();
    for name in ["a\0b".to_owned(), "x".repeat(200_000)] {
        assert_eq!(get(&client, &name).unwrap_err().code(), ErrorCode::InvalidArgs);
    }
    let options = GetOptions { purpose: Some("a\0b".into()), ..GetOptions::default() };
    assert_eq!(client.get("a", &options).unwrap_err().code(), ErrorCode::InvalidArgs);
    assert_eq!(calls(&server), 0);
}

#[test]
fn the_next_call_after_a_restart_works_also_when_it_writes() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    let client = server.client();
    assert_eq!(put(&client, "kept", b"before"), Ok(7));
    server.stop();
    server.run();
    assert_eq!(put(&client, "kept", b"after"), Ok(7));
    server.stop();
    server.run();
    assert_eq!(get(&client, "kept").unwrap(), b"after");
    assert_eq!(calls(&server), 3);
}

#[test]
fn a_stopped_daemon_is_unavailable_until_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    let client = server.client();
    server.stop();
    let error = get(&client, "any").unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains("systemctl status tokenvaultd"), "{error}");
    server.run();
    assert_eq!(get(&client, "any").unwrap(), b"value");
}

#[test]
fn a_write_whose_connection_broke_is_not_repeated_and_its_outcome_is_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let client = server.client();
    let error = put(&client, "hangup", b"value").unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains("unknown"), "{error}");
    assert_eq!(calls(&server), 1);
    assert_eq!(put(&client, "fine", b"value"), Ok(7));
}

#[test]
fn a_read_whose_connection_broke_is_repeated_once() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let client = server.client();
    assert_eq!(get(&client, "hangup-once").unwrap(), b"value");
    assert_eq!(calls(&server), 2);
    assert_eq!(get(&client, "hangup").unwrap_err().code(), ErrorCode::Unavailable);
    assert_eq!(calls(&server), 4);
}

#[test]
fn a_silent_daemon_is_a_timeout_at_the_deadline_and_the_next_call_works() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let mut client = server.client();
    client.set_deadline(Duration::from_millis(200));
    let began = Instant::now();
    let error = get(&client, "silent").unwrap_err();
    let waited = began.elapsed();
    assert_eq!(error.code(), ErrorCode::Timeout);
    assert!(waited >= Duration::from_millis(200) && waited < Duration::from_secs(10), "{waited:?}");
    client.set_deadline(Duration::from_secs(25));
    assert_eq!(get(&client, "fine").unwrap(), b"value");
}

#[test]
fn a_door_that_accepts_and_says_nothing_is_not_waited_for_beyond_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path());
    let mut client = server.client();
    server.stop();
    let Address::Socket(path) = server.address() else { unreachable!() };
    let _mute = std::os::unix::net::UnixListener::bind(&path).unwrap();
    client.set_deadline(Duration::from_millis(200));
    let error = get(&client, "any").unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains("no answer"), "{error}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn threads_share_one_client_and_each_gets_its_own_value() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let client = server.client();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let client = &client;
            scope.spawn(move || {
                let name = format!("thread-{thread}");
                for round in 0..50_u8 {
                    put(client, &name, &[thread, round]).unwrap();
                    assert_eq!(get(client, &name).unwrap(), [thread, round]);
                }
            });
        }
    });
    assert_eq!(calls(&server), 400);
}

#[test]
fn nobody_at_the_address_is_unavailable_and_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nobody");
    let error = Client::open(Some(&Address::Socket(path.clone()))).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}
