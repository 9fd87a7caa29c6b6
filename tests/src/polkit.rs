//! What stands for polkit on the bus of a test: answers as it is told, and remembers what it was asked. The real one needs a
//! booted machine, and can be made neither silent nor wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tokio::sync::Notify;
use zbus::connection::Builder;
use zbus::{OwnedVariant, fdo};

use crate::door::Door;
use crate::user::{ROOT, User};
use crate::{Vault, wire};

/// Its name on a bus.
pub const NAME: &str = "org.freedesktop.PolicyKit1";

/// What it says to every question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Permitted.
    Yes,
    /// Not permitted.
    No,
    /// Permitted when somebody is asked.
    Ask,
    /// Something is wrong with it.
    Fails,
    /// Nothing, for as long as it is there.
    Nothing,
}

/// A question: who, what, whether somebody may be asked.
pub type Question = (String, String, bool);

/// What it has heard.
#[derive(Default)]
struct Heard {
    questions: Vec<Question>,
    /// By what those that are not answered yet can be taken back.
    open: Vec<String>,
}

type Subject = (String, HashMap<String, OwnedVariant>);

struct Authority {
    says: Says,
    heard: Arc<Mutex<Heard>>,
}

#[zbus::interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl Authority {
    async fn check_authorization(
        &self,
        subject: Subject,
        action: String,
        _details: HashMap<String, String>,
        flags: u32,
        cancellation: String,
    ) -> fdo::Result<(bool, bool, HashMap<String, String>)> {
        let (kind, details) = subject;
        let name = details.get("name").map(|name| format!("{name:?}")).unwrap_or_default();
        let interactive = flags & 1 == 1;
        self.heard.lock().unwrap().questions.push((format!("{kind} {name}"), action, interactive));
        match self.says {
            Says::Yes => Ok((true, false, HashMap::new())),
            Says::No => Ok((false, false, HashMap::new())),
            Says::Ask => Ok((interactive, !interactive, HashMap::new())),
            Says::Fails => Err(fdo::Error::Failed("it is out of order".into())),
            Says::Nothing => {
                self.heard.lock().unwrap().open.push(cancellation);
                std::future::pending().await
            }
        }
    }

    fn cancel_check_authorization(&self, cancellation: String) {
        self.heard.lock().unwrap().open.retain(|open| *open != cancellation);
    }
}

/// One on the bus of a vault; gone when dropped.
pub struct Polkit {
    heard: Arc<Mutex<Heard>>,
    leave: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Polkit {
    /// Starts it, as root.
    pub fn on_the_bus_of(vault: &Vault, says: Says) -> Self {
        Self::of(ROOT, vault, says)
    }

    /// Starts one that is `user`.
    pub fn of(user: User, vault: &Vault, says: Says) -> Self {
        let heard = Arc::new(Mutex::default());
        let authority = Authority { says, heard: Arc::clone(&heard) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let stream = wire::connect(vault, user, Door::Bus).expect("connecting to the bus");
        let builder = {
            let _inside = runtime.enter();
            Builder::unix_stream(stream).user_id(user.uid)
        };
        let builder = builder.serve_at("/org/freedesktop/PolicyKit1/Authority", authority).name(NAME);
        let connection = runtime.block_on(builder.build()).expect("the bus lets it in");
        let leave = Arc::new(Notify::new());
        let told = Arc::clone(&leave);
        let thread = thread::spawn(move || {
            runtime.block_on(told.notified());
            drop(connection);
        });
        Self { heard, leave, thread: Some(thread) }
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Question> {
        self.heard.lock().unwrap().questions.clone()
    }

    /// How many questions it thinks about that nobody has taken back.
    pub fn unanswered(&self) -> usize {
        self.heard.lock().unwrap().open.len()
    }
}

impl Drop for Polkit {
    fn drop(&mut self) {
        self.leave.notify_one();
        // A panic of its own it has told already.
        self.thread.take().map(JoinHandle::join);
    }
}
