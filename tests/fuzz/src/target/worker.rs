//! What daemon and TPM worker say to each other.

use tokenvault_tpm::{MAX_MESSAGE, PREFIX, Request, Response};

/// The first byte says who speaks.
pub fn run(data: &[u8]) {
    let Some((speaker, body)) = data.split_first() else { return };
    let mut again = [0; MAX_MESSAGE];
    let len = if speaker.is_multiple_of(2) {
        Request::decode(body).ok().map(|request| request.encode(&mut again).expect("what was read is written"))
    } else {
        Response::decode(body).ok().map(|response| response.encode(&mut again).expect("what was read is written"))
    };
    if let Some(len) = len {
        assert!(&again[PREFIX..len] == body, "there is one way to say it");
    }
}
