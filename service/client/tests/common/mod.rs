//! A stand-in for the daemon at a private socket: it answers by the name of the token, so that each test can have the
//! behaviour it is about. Values go through real pipes and real sockets.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokenvault_client::{Address, Client, Status, TokenInfo};
use tokio::sync::oneshot;
use zbus::connection::Builder;
use zbus::export::futures_core::Stream;
use zbus::message::Type;
use zbus::{Connection, Fd, Guid, Message, MessageStream, OwnedVariant};

type Options = HashMap<String, OwnedVariant>;

/// What the stand-in keeps between its lives.
#[derive(Default)]
pub struct Store {
    pub values: Mutex<HashMap<String, Vec<u8>>>,
    pub calls: AtomicUsize,
}

pub struct Server {
    path: PathBuf,
    pub store: Arc<Store>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Server {
    pub fn start(directory: &Path) -> Self {
        let mut server = Self { path: directory.join("bus"), store: Arc::default(), running: None };
        server.run();
        server
    }

    pub fn address(&self) -> Address {
        Address::Socket(self.path.clone())
    }

    #[allow(dead_code, reason = "not every suite needs it")]
    pub fn client(&self) -> Client {
        Client::open(Some(&self.address())).unwrap()
    }

    /// Returns when every connection and the socket are gone.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            thread.join().unwrap();
            std::fs::remove_file(&self.path).unwrap();
        }
    }

    pub fn run(&mut self) {
        let listener = UnixListener::bind(&self.path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let store = Arc::clone(&self.store);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, store) => {}
                    _ = stopped => {}
                }
            });
        });
        self.running = Some((stop, thread));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn accept(listener: UnixListener, store: Arc<Store>) {
    let listener = tokio::net::UnixListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let builder = Builder::unix_stream(stream.into_std().unwrap()).server(Guid::generate()).p2p();
            if let Ok(connection) = builder.build().await {
                serve(connection, store).await;
            }
        });
    }
}

async fn serve(connection: Connection, store: Arc<Store>) {
    let mut incoming = MessageStream::from(&connection);
    while let Some(Ok(call)) = std::future::poll_fn(|cx| Pin::new(&mut incoming).poll_next(cx)).await {
        if call.message_type() != Type::MethodCall {
            continue;
        }
        let count = store.calls.fetch_add(1, Ordering::SeqCst);
        let member = call.header().member().unwrap().to_string();
        let kept_open = match member.as_str() {
            "Get" => get(&connection, &call, &store, count).await,
            "Put" => put(&connection, &call, &store).await,
            "Status" => status(&connection, &call).await,
            _ => refuse(&connection, &call, "org.freedesktop.DBus.Error.UnknownMethod", "no such method").await,
        };
        if !kept_open {
            return;
        }
    }
}

async fn status(connection: &Connection, call: &Message) -> bool {
    let status = Status { state: "serving".into(), ..Status::default() };
    connection.reply(&call.header(), &status).await.unwrap();
    true
}

async fn get(connection: &Connection, call: &Message, store: &Store, count: usize) -> bool {
    let body = call.body();
    let (name, _options): (String, Options) = body.deserialize().unwrap();
    let value = store.values.lock().unwrap().get(&name).cloned().unwrap_or_else(|| b"value".to_vec());
    let mut info = TokenInfo { name: name.clone(), size: value.len() as u64, version: 1, ..TokenInfo::default() };
    match name.as_str() {
        "hangup" => return false,
        "hangup-once" if count == 0 => return false,
        "silent" => return true,
        "short" => info.size += 1,
        "long" => info.size -= 1,
        "malformed" => {
            connection.reply(&call.header(), &"no pipe").await.unwrap();
            return true;
        }
        _ => {}
    }
    if let Some(error) = name.strip_prefix("error/") {
        return refuse(connection, call, error, "what happened; what to do").await;
    }
    let (reader, mut writer) = std::io::pipe().unwrap();
    if name == "large" {
        // More than the pipe holds: the rest comes as the client reads.
        std::thread::spawn(move || writer.write_all(&value));
    } else {
        writer.write_all(&value).unwrap();
        drop(writer);
    }
    connection.reply(&call.header(), &(Fd::from(OwnedFd::from(reader)), info)).await.unwrap();
    true
}

async fn put(connection: &Connection, call: &Message, store: &Store) -> bool {
    let body = call.body();
    let (name, pipe, _options): (String, zbus::OwnedFd, Options) = body.deserialize().unwrap();
    if name == "hangup" {
        return false;
    }
    let mut value = Vec::new();
    std::io::PipeReader::from(OwnedFd::from(pipe)).read_to_end(&mut value).unwrap();
    store.values.lock().unwrap().insert(name, value);
    connection.reply(&call.header(), &7_u64).await.unwrap();
    true
}

async fn refuse(connection: &Connection, call: &Message, name: &str, text: &str) -> bool {
    connection.reply_error(&call.header(), name, &text).await.unwrap();
    true
}
