//! What hostile clients can make the private door hold. Alone in its process, because it measures the process.

mod toy;

use std::path::Path;
use std::time::{Duration, Instant};

use tokenvaultd::door::DoorLimits;

use toy::raw::{self, RawClient};
use toy::{INTERFACE, PATH, ToyDoor, resident};

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_sends_bounds_what_the_door_holds() {
    let door = ToyDoor::open(DoorLimits::default());
    let other = door.connect().await;
    let path = door.path();

    // Twenty bytes that claim 128 MiB, many times over.
    let before = resident();
    let claims = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || {
            for _ in 0..1000 {
                let mut client = RawClient::connect_when_admitted(&path);
                client.send(&raw::prefix(128 * MIB as u32 - 64, 0));
                client.assert_closed();
            }
        })
    };
    claims.await.unwrap();
    let after_claims = resident().saturating_sub(before);

    // Half a message each, as large as is taken, on as many connections as one uid has.
    let before = resident();
    let halves: Vec<RawClient> = {
        let path = path.clone();
        let connect = move || (0..32).map(|_| half_a_message(&path)).collect();
        tokio::task::spawn_blocking(connect).await.unwrap()
    };
    let after_halves = resident().saturating_sub(before);
    drop(halves);

    // A flood whose replies nobody reads, and somebody else who is answered meanwhile.
    let before = resident();
    let flooding = tokio::task::spawn_blocking(move || raw::flood(&path, Duration::from_secs(2)));
    let mut slowest = Duration::ZERO;
    let mut answered = 0;
    while !flooding.is_finished() {
        let begin = Instant::now();
        other.call_method(None::<()>, PATH, Some(INTERFACE), "Echo", &"hi").await.unwrap();
        slowest = slowest.max(begin.elapsed());
        answered += 1;
    }
    let after_flood = resident().saturating_sub(before);
    let (_flooder, sent) = flooding.await.unwrap();
    #[allow(clippy::print_stdout, reason = "the figures are worth seeing")]
    {
        println!(
            "resident: claims +{} KiB, halves +{} KiB, flood +{} KiB; flood took {sent} bytes, \
         others: {answered} answered, slowest {slowest:?}",
            after_claims / 1024,
            after_halves / 1024,
            after_flood / 1024
        );
    }
    assert!(after_claims <= 2 * MIB, "{after_claims} bytes after 1,000 claims");
    assert!(after_halves <= 16 * MIB, "{after_halves} bytes after 32 half messages");
    assert!(after_flood <= 8 * MIB, "{after_flood} bytes after a flood");
    assert!(sent < 2 * MIB, "the flooder was not held back: {sent} bytes");
    // A door that waits for the flooder answers a handful.
    assert!(answered > 100 && slowest < Duration::from_secs(5), "{answered} answered, slowest {slowest:?}");
}

fn half_a_message(path: &Path) -> RawClient {
    let mut client = RawClient::connect_when_admitted(path);
    client.send(&raw::prefix(250 * 1024, 0));
    client.send(&vec![0; 125 * 1024]);
    client
}
