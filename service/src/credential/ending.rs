//! How the door hears of the daemon's end, so that nobody who came in is left with an empty answer.

use std::time::Duration;

use tokio::sync::watch;

/// How long a load may go on when the daemon is to stop. The refusal that comes then has to be read before the doors are cut off.
const LAST_LOADS: Duration = Duration::from_secs(2);

/// What the daemon is told about its end. Whoever could tell being gone counts as told.
#[derive(Clone)]
pub struct Ending {
    /// To stop in order.
    stop: watch::Receiver<bool>,
    /// To end now, whatever is under way.
    at_once: watch::Receiver<bool>,
}

impl Ending {
    /// An end that is told by these.
    pub const fn new(stop: watch::Receiver<bool>, at_once: watch::Receiver<bool>) -> Self {
        Self { stop, at_once }
    }

    /// Waits until nobody is to be let in any more.
    pub async fn begins(&mut self) {
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => {}
            _ = self.at_once.wait_for(|at_once| *at_once) => {}
        }
    }

    /// Waits until what is under way has no more time.
    pub async fn is_up(mut self) {
        let Self { stop, at_once } = &mut self;
        let in_order = async {
            let _ = stop.wait_for(|stop| *stop).await;
            tokio::time::sleep(LAST_LOADS).await;
        };
        tokio::select! {
            () = in_order => {}
            _ = at_once.wait_for(|at_once| *at_once) => {}
        }
    }
}
