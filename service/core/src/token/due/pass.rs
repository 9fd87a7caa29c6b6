//! Which tokens are due, and one walk through them. Nothing here asks the store.

use crate::Timestamp;
use crate::error::Error;
use crate::port::Ending;

/// Most distances.
const DISTANCES_MAX: usize = 16;
/// How long before a token expires it is told so: some distances in microseconds, and none at all, the shortest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead(Vec<u64>);

impl Ahead {
    /// From distances in any order.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for too many.
    pub fn new(distances: &[u64]) -> Result<Self, Error> {
        if distances.len() > DISTANCES_MAX {
            return Err(Error::InvalidArgs(format!("at most {DISTANCES_MAX} distances can be given")));
        }
        let mut all = distances.to_vec();
        all.push(0);
        all.sort_unstable();
        all.dedup();
        Ok(Self(all))
    }

    /// The shortest distance at which something that expires at `expires` became due within a time.
    fn due(&self, expires: Timestamp, (since, until): (Timestamp, Timestamp)) -> Option<u64> {
        let (expires, since, until) = (expires.as_usec(), since.as_usec(), until.as_usec());
        let shortest = self.0.iter().copied().find(|distance| expires.saturating_sub(*distance) <= until)?;
        (expires.saturating_sub(shortest) > since).then_some(shortest)
    }
}

/// A token that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueToken {
    /// Row number of its principal.
    pub(super) principal: i64,
    /// Row number.
    pub(super) token: i64,
    /// Uid of its principal.
    pub owner: u32,
    /// Its name.
    pub name: String,
    /// Number of the current version.
    pub version: u64,
    /// When it expires.
    pub expires: Timestamp,
}

/// Which ones somebody wants to see.
#[derive(Debug, Clone)]
pub struct DueRequest {
    /// The distances.
    pub ahead: Ahead,
    /// Due after this.
    pub since: Timestamp,
    /// And not after this.
    pub until: Timestamp,
}

/// One walk through what is due.
#[derive(Debug, Clone)]
pub struct DuePass {
    pub(super) request: DueRequest,
    /// Which distance is looked at.
    at: usize,
    pub(super) after: Option<Ending>,
    /// When something will be due next, as far as was seen.
    soonest: Option<Timestamp>,
    pub(super) told: u64,
}

impl DuePass {
    /// A walk that has not begun.
    pub const fn new(request: DueRequest) -> Self {
        Self { request, at: 0, after: None, soonest: None, told: 0 }
    }

    /// When the next walk may find something, as far as was seen.
    pub const fn soonest(&self) -> Option<Timestamp> {
        self.soonest
    }

    /// Where it is: at which distance, and behind what.
    pub(super) const fn here(&self) -> (usize, Option<Ending>) {
        (self.at, self.after)
    }

    /// Puts it somewhere; past the last distance is the end.
    pub(super) fn place(&mut self, at: i64, after: Option<Ending>) {
        self.at = usize::try_from(at).unwrap_or(usize::MAX);
        self.after = after;
    }

    fn expect(&mut self, moment: u64) {
        if moment > self.request.until.as_usec() {
            let moment = Timestamp::from_usec(moment);
            self.soonest = Some(self.soonest.map_or(moment, |before| before.min(moment)));
        }
    }

    /// The days that the present distance reaches, the last one included; `None` after the last distance.
    pub(super) fn days(&self) -> Option<(i64, i64)> {
        let distance = *self.request.ahead.0.get(self.at)?;
        let day = |time: Timestamp| time.checked_add_usec(distance).map_or(i64::MAX, Timestamp::day_rounded_up);
        // Whatever expires within the day of `since` may do so after it.
        Some((day(self.request.since), day(self.request.until)))
    }

    /// The token, where it is due at the present distance.
    pub(super) fn weigh(&mut self, token: DueToken) -> Option<DueToken> {
        let distance = self.request.ahead.0.get(self.at).copied()?;
        self.expect(token.expires.as_usec().saturating_sub(distance));
        let due = self.request.ahead.due(token.expires, (self.request.since, self.request.until));
        (due == Some(distance)).then_some(token)
    }

    /// Goes on to the next distance; notes when the next day begins for this one.
    pub(super) fn end_distance(&mut self, last_day: i64) {
        let begins = u64::try_from(last_day).ok().and_then(Timestamp::from_day);
        if let (Some(day), Some(distance)) = (begins, self.request.ahead.0.get(self.at).copied()) {
            self.expect(day.as_usec().saturating_add(1).saturating_sub(distance));
        }
        self.at += 1;
        self.after = None;
    }
}
