//! Where a call is worked on.
//!
//! zbus works on calls where they come in, one after the other, or gives each a task of its own. Most calls of the vault wait
//! for nothing and cost less than a task does; some wait for the disk, the TPM or the user database, and must hold up nobody.
//! So a call is begun where it came in, and goes on as a task of its own only when it first has to wait.
//!
//! What a call takes of its user's limits it keeps until its reply is written: a client that does not read its replies would
//! otherwise have any number of them kept for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokenvault_core::Error;
use tokenvault_proto::ErrorCode;
use zbus::export::async_trait::async_trait;
use zbus::message::Header;
use zbus::names::{InterfaceName, MemberName};
use zbus::object_server::{DispatchResult, Interface, SignalEmitter};
use zbus::{BoxDBusError, Connection, Message, ObjectServer, OwnedVariant, Variant, fdo};

use super::{Desk, Refusal, trace};
use crate::caller::InFlight;
use crate::metrics::Method;
use crate::value::Portion;

tokio::task_local! {
    static TAKEN: RefCell<Taken>;
}

/// What a call has taken of its user's limits, and what came of it.
#[derive(Default)]
struct Taken {
    /// Whether the desk was asked to let it in.
    asked: bool,
    /// What the desk refused it with.
    refused: Option<ErrorCode>,
    in_flight: Option<InFlight>,
    reply: Option<Portion>,
}

/// The desk is asked to let the present call in: whoever makes it pays for it there.
pub(super) fn note_asked() {
    keep(|taken| taken.asked = true);
}

/// The present call is refused.
pub(super) fn note_refused(code: ErrorCode) {
    keep(|taken| taken.refused = Some(code));
}

/// Keeps the place of the present call until its reply is written.
pub(super) fn keep_place(in_flight: InFlight) {
    keep(|taken| taken.in_flight = Some(in_flight));
}

/// The same with what its reply takes.
pub(super) fn keep_reply(reply: Portion) {
    keep(|taken| taken.reply = Some(reply));
}

fn keep(put: impl FnOnce(&mut Taken)) {
    // Outside of a call there is no reply to wait for.
    let _outside = TAKEN.try_with(|taken| put(&mut taken.borrow_mut()));
}

/// An interface whose calls are begun where they come in, and the desk that counts those of them that come to no handler.
pub(super) struct Begun<I>(Arc<AtDesk<I>>);

struct AtDesk<I> {
    interface: I,
    desk: Desk,
}

impl<I> Begun<I> {
    pub(super) fn new(interface: I, desk: Desk) -> Self {
        Self(Arc::new(AtDesk { interface, desk }))
    }
}

#[async_trait]
impl<I: Interface> Interface for Begun<I> {
    fn name() -> InterfaceName<'static> {
        I::name()
    }

    fn spawn_tasks_for_methods(&self) -> bool {
        false
    }

    async fn get(
        &self,
        property: &str,
        server: &ObjectServer,
        connection: &Connection,
        header: Option<&Header<'_>>,
        emitter: &SignalEmitter<'_>,
    ) -> Option<Result<OwnedVariant, BoxDBusError>> {
        self.0.interface.get(property, server, connection, header, emitter).await
    }

    async fn get_all(
        &self,
        server: &ObjectServer,
        connection: &Connection,
        header: Option<&Header<'_>>,
        emitter: &SignalEmitter<'_>,
    ) -> fdo::Result<HashMap<String, OwnedVariant>> {
        self.0.interface.get_all(server, connection, header, emitter).await
    }

    async fn set_mut(
        &mut self,
        _property: &str,
        _value: &Variant<'_>,
        _server: &ObjectServer,
        _connection: &Connection,
        _header: Option<&Header<'_>>,
        _emitter: &SignalEmitter<'_>,
    ) -> Option<Result<(), BoxDBusError>> {
        None
    }

    fn call<'call>(
        &'call self,
        _server: &'call ObjectServer,
        connection: &'call Connection,
        message: &'call Message,
        member: MemberName<'call>,
    ) -> DispatchResult<'call> {
        let work = answer(Arc::clone(&self.0), connection.clone(), message.clone(), member.to_owned());
        DispatchResult::Async(Box::pin(async move {
            // One connection's calls must not keep a thread for themselves.
            tokio::task::coop::consume_budget().await;
            Beginning(Some(Box::pin(TAKEN.scope(RefCell::default(), work)))).await;
            Ok(())
        }))
    }

    fn call_mut<'call>(
        &'call mut self,
        _server: &'call ObjectServer,
        _connection: &'call Connection,
        _message: &'call Message,
        _member: MemberName<'call>,
    ) -> DispatchResult<'call> {
        DispatchResult::NotFound
    }

    fn introspect_to_writer(&self, writer: &mut dyn Write, level: usize) {
        self.0.interface.introspect_to_writer(writer, level);
    }
}

/// Works on a call, writes its reply, whatever comes of it, and counts it: this is where each call ends that comes here.
async fn answer<I: Interface>(
    served: Arc<AtDesk<I>>,
    connection: Connection,
    message: Message,
    member: MemberName<'static>,
) {
    let begun = Instant::now();
    let AtDesk { interface, desk } = served.as_ref();
    let refused = match Guarded(Box::pin(work(interface, desk, &connection, &message, &member))).await {
        Ok(Ok(refused)) => refused,
        Ok(Err(refused)) => {
            let code = ErrorCode::from_dbus_name(&refused.name());
            told(connection.reply_dbus_error(&message.header(), refused).await);
            Some(code)
        }
        Err(Panicked) => {
            let fault = Refusal::from(Error::Internal("a call ended in a fault of the daemon; see its log".into()));
            told(connection.reply_dbus_error(&message.header(), fault).await);
            Some(ErrorCode::Failed)
        }
    };
    let method = Method::find(&I::name(), &member);
    let took = begun.elapsed();
    desk.service.metrics.calls.count(method, refused, took);
    trace::note(desk, &message, refused, took).await;
}

/// Has the handler of a call answer it; what it was refused with. An error is still to be answered.
async fn work<I: Interface>(
    interface: &I,
    desk: &Desk,
    connection: &Connection,
    message: &Message,
    member: &MemberName<'static>,
) -> Result<Option<ErrorCode>, BoxDBusError> {
    match interface.call(connection.object_server(), connection, message, member.as_ref()) {
        DispatchResult::Async(work) => {
            let worked = work.await;
            let (asked, refused) =
                TAKEN.try_with(|taken| (taken.borrow().asked, taken.borrow().refused)).unwrap_or((true, None));
            // Arguments that are not the method's have been answered before any handler could ask the desk.
            if !asked {
                let _answered = desk.charge(&message.header()).await;
            }
            let refused = if asked { refused } else { Some(ErrorCode::InvalidArgs) };
            worked.map(|()| refused)
        }
        DispatchResult::NotFound | DispatchResult::RequiresMut => {
            Err(refuse_unknown(desk, &message.header(), member).await)
        }
    }
}

fn told(replied: zbus::Result<()>) {
    if let Err(error) = replied {
        log::debug!("a reply could not be written: {error}");
    }
}

/// What is said to a call of a method that there is none of, once it is paid for.
async fn refuse_unknown(desk: &Desk, call: &Header<'_>, member: &MemberName<'_>) -> BoxDBusError {
    match desk.charge(call).await {
        Ok(()) => fdo::Error::UnknownMethod(format!("Unknown method '{member}'")).into(),
        Err(refused) => Box::new(refused),
    }
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls once; what is not done by then goes on as a task of its own.
struct Beginning(Option<Work>);

impl Future for Beginning {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(mut work) = self.0.take()
            && work.as_mut().poll(context).is_pending()
        {
            tokio::spawn(work);
        }
        Poll::Ready(())
    }
}

/// Work that panicked; the panic's hook has logged where.
struct Panicked;

/// Work that is not allowed to take the connection's other calls with it when it panics.
struct Guarded<F>(Pin<Box<F>>);

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.0.as_mut();
        // It is not polled again, and what it shares with others is kept by locks that hold after a panic.
        match catch_unwind(AssertUnwindSafe(|| work.poll(context))) {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}
