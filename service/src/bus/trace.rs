//! What the log says of each call at level `debug`: for whoever wants to know what a program asks of the vault, and with which
//! options. Calls that are answered where they are read (`fast_path`) are counted in the metrics alone.

use std::time::Duration;

use log::Level;
use tokenvault_proto::{ERROR_PREFIX, ErrorCode};
use zbus::{Message, Structure, Variant};

use super::Desk;

/// Longest key that is written; no option's is longer.
const KEY_BYTES_MAX: usize = 32;

/// Writes down a call that has ended; `refused` is what it was refused with. Never a value, and of the options only the keys.
pub(super) async fn note(desk: &Desk, message: &Message, refused: Option<ErrorCode>, took: Duration) {
    if !log::log_enabled!(Level::Debug) {
        return;
    }
    let header = message.header();
    let (Some(interface), Some(member)) = (header.interface(), header.member()) else { return };
    let uid = desk.uid(&header).await.map_or_else(|| "an unknown uid".to_owned(), |uid| format!("uid {uid}"));
    let outcome = refused.map(ErrorCode::dbus_name);
    let outcome = outcome.as_deref().map_or("ok", |name| name.strip_prefix(ERROR_PREFIX).unwrap_or(name));
    log::debug!(
        "a call of {interface}.{member} at the {} by {uid}, options [{}]: {outcome}, after {} us",
        desk.door().as_str(),
        option_keys(message).join(" "),
        took.as_micros(),
    );
}

/// The keys of a call's options, which are its last argument. What can be no option's is not written.
fn option_keys(message: &Message) -> Vec<String> {
    let body = message.body();
    let Ok(arguments) = body.deserialize::<Structure<'_>>() else { return Vec::new() };
    let Some(Variant::Dict(options)) = arguments.fields().last() else { return Vec::new() };
    let mut keys: Vec<String> = options
        .iter()
        .filter_map(|(key, _)| match key {
            Variant::Str(key) if is_written(key.as_str()) => Some(key.to_string()),
            _ => None,
        })
        .collect();
    keys.sort_unstable();
    keys
}

fn is_written(key: &str) -> bool {
    key.len() <= KEY_BYTES_MAX && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn call(body: &(impl serde::Serialize + zbus::DynamicType)) -> Message {
        Message::method_call("/org/tokenvault1", "Get").build(body).unwrap()
    }

    #[test]
    fn the_keys_are_those_of_the_last_argument() {
        let options = HashMap::from([("version", Variant::from(1_u64)), ("owner", Variant::from("machine"))]);
        assert_eq!(option_keys(&call(&("name", options.clone()))), ["owner", "version"]);
        assert_eq!(option_keys(&call(&options)), ["owner", "version"]);
    }

    #[test]
    fn what_is_no_option_is_not_written() {
        let long = "k".repeat(KEY_BYTES_MAX + 1);
        let keys = ["two words", "line\nfeed", "Großes", long.as_str()];
        let options: HashMap<_, _> = keys.into_iter().map(|key| (key, Variant::from(true))).collect();
        assert_eq!(option_keys(&call(&("name", options))), [""; 0]);
        assert_eq!(option_keys(&call(&"a name alone")), [""; 0]);
        assert_eq!(option_keys(&call(&())), [""; 0]);
    }
}
