//! Being told of changes: signals of the vault, one after the other.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use tokenvault_proto::memory::NoMemory;
use tokenvault_proto::{CHANGE_LOST, ErrorCode, MANAGER_INTERFACE, NoOptions, OperationInfo, SIGNALS_MAX, Taken};
use zbus::Message;

use crate::call::ask_on;
use crate::client::{Client, DEADLINE_MAX};
use crate::connection::Connection;
use crate::error::Error;
use crate::method;
use crate::sys::Birth;

/// After how many signals the vault is told that they were read: early enough that it need not wait for it.
const TELL_AFTER: usize = SIGNALS_MAX / 2;
/// And after how many more it is tried again where the vault had no time for it.
const TRY_AFTER: usize = TELL_AFTER / 4;

/// What the vault tells of.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// A token has changed.
    Changed {
        /// Whose it is, `uid:N`.
        owner: String,
        /// Its name; empty: all tokens of the owner are meant.
        name: String,
        /// What happened, in a word of the interface: `put`, `deleted`.
        change: String,
        /// Number of the version that is current now; 0: there is no token of that name any more.
        version: u64,
    },
    /// A token expires soon.
    Expiring {
        /// Whose it is, `uid:N`.
        owner: String,
        /// Its name.
        name: String,
        /// When, microseconds since the epoch.
        expires: u64,
    },
    /// A token was shared with this user.
    Shared {
        /// Whose it is, `uid:N`.
        owner: String,
        /// Its name.
        name: String,
    },
    /// Long work has begun, gone on or ended.
    Operation(OperationInfo),
    /// Something was not told: what was listed before has to be listed again.
    Lost,
}

/// A subscription, with a connection of its own.
///
/// What is to be known from its beginning on is listed after it was made. It belongs to the process that made it.
pub struct Subscription {
    connection: Connection,
    deadline: Duration,
    birth: Birth,
    /// Signals taken since the vault was told that they are read.
    taken: usize,
}

impl Client {
    /// Has the vault tell of changes of what this user may see.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn subscribe(&self) -> Result<Subscription, Error> {
        let deadline = self.deadline_of(&method::SUBSCRIBE);
        let until = Instant::now() + deadline;
        let mut connection = self.connect_to_listen(until)?;
        // First: the vault may tell something before it answers.
        connection.take_signals(until)?;
        let mut subscription = Subscription { connection, deadline, birth: Birth::new(), taken: 0 };
        subscription.tell_read()?;
        Ok(subscription)
    }
}

impl Subscription {
    /// The next thing that is told; `None` when nothing is within this time, and at once for none.
    ///
    /// # Errors
    /// `Unavailable` when the connection is gone, after a restart of the daemon for one: a new subscription has to be made, and
    /// everything listed again. `LimitsExceeded` when there is no memory for what was told: that is lost, what comes later is not.
    pub fn next(&mut self, within: Duration) -> Result<Option<Notice>, Error> {
        if self.birth.is_elsewhere() {
            return Err(Error::forked());
        }
        let until = Instant::now() + within.min(DEADLINE_MAX);
        loop {
            if self.taken >= TELL_AFTER {
                match self.tell_read() {
                    // There is time for another try: the vault has told no more than half of what it may.
                    Err(error) if error.code() == ErrorCode::LimitsExceeded => self.taken = TELL_AFTER - TRY_AFTER,
                    said => said?,
                }
            }
            let signal = self.connection.await_signal(until).map_err(|cause| Error::deaf(&cause))?;
            let Some(signal) = signal else { return Ok(None) };
            if self.connection.says_that_it_left(&signal) {
                return Err(Error::deaf("the vault has left the bus"));
            }
            self.taken += 1;
            match read(&signal)? {
                Some(Notice::Lost) => {
                    // It has ended with that.
                    self.tell_read()?;
                    return Ok(Some(Notice::Lost));
                }
                Some(notice) => return Ok(Some(notice)),
                // Of a newer daemon.
                None => {}
            }
        }
    }

    fn tell_read(&mut self) -> Result<(), Error> {
        ask_on(&mut self.connection, (&method::SUBSCRIBE, self.deadline), &NoOptions::default())?;
        self.taken = 0;
        Ok(())
    }

    /// Ends it, and waits until the vault has heard so.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn unsubscribe(mut self) -> Result<(), Error> {
        ask_on(&mut self.connection, (&method::UNSUBSCRIBE, self.deadline), &NoOptions::default()).map(|_| ())
    }
}

/// Readable when something may have come. What has come already does not make it readable: [`Subscription::next`] is asked until
/// it has nothing.
impl AsFd for Subscription {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

/// What a signal says; `None`: it is none of those that are known here.
fn read(signal: &Message) -> Result<Option<Notice>, Error> {
    let (header, body) = (signal.header(), signal.body());
    if header.interface().is_none_or(|interface| interface.as_str() != MANAGER_INTERFACE) {
        return Ok(None);
    }
    let member = header.member().map_or("", |member| member.as_str());
    let notice = match member {
        "TokenChanged" => body.deserialize().map(
            |(Taken(owner), Taken(name), Taken(change), version): (
                Taken<String>,
                Taken<String>,
                Taken<String>,
                u64,
            )| {
                if change == CHANGE_LOST { Notice::Lost } else { Notice::Changed { owner, name, change, version } }
            },
        ),
        "TokenExpiring" => {
            body.deserialize().map(|(Taken(owner), Taken(name), expires)| Notice::Expiring { owner, name, expires })
        }
        "TokenShared" => body.deserialize().map(|(Taken(owner), Taken(name))| Notice::Shared { owner, name }),
        "OperationChanged" => body.deserialize().map(|(_, info): (u64, OperationInfo)| Notice::Operation(info)),
        _ => return Ok(None),
    };
    notice.map(Some).map_err(|error| {
        // It is taken from the connection, and does not come again.
        if NoMemory::is_in(&error) { Error::lost_signal() } else { Error::malformed(member, &error) }
    })
}
