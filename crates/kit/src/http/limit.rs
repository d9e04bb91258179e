//! How fast a server may be asked.
//!
//! A [`Limiter`] lets requests through in the order in which they ask for their turn. Few of them are under way at first, and more with each
//! answer; no rate is kept to until a server shows that it has a limit: by refusing a request (429), or by saying in its headers that little
//! is left. From then on it paces the requests at the rate
//! that the server was seen to serve, which is measured from one refusal to the next, and tries now and then whether there is more.
//!
//! What decides ([`control`]) is plain values: the time is an argument. What waits stands in this file.

mod budget;
mod control;
mod fixed;
mod headers;
mod hints;
mod meter;
mod quota;
mod search;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use control::{Control, Ticket};
pub use hints::{Budget, Hints, Quota};

/// How long a wait may be that a server asks for. After that it is asked again, whatever it said.
pub const MAX_PAUSE: Duration = Duration::from_secs(300);

/// How fast a server may be asked, found out while it is asked. Clones share it.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use std::time::Duration;
/// use staunch::http::{Hints, Limiter, Outcome};
///
/// let limiter = Limiter::default(); // Whatever the server allows.
/// let permit = limiter.acquire().await;
/// // Here the request is sent, and answered.
/// permit.report(Outcome::Served(Hints::default()));
///
/// let known = Limiter::per(100, Duration::from_secs(10)).burst(20); // No more than the documentation of the server allows.
/// # let _ = known;
/// # });
/// ```
#[derive(Clone)]
pub struct Limiter {
    /// None for one that never waits.
    shared: Option<Arc<Shared>>,
}

struct Shared {
    control: Mutex<Control>,
    /// Whose turn is next: one permit, handed on in the order of asking.
    head: Semaphore,
    /// That the next turn may be another than it was.
    changed: Notify,
}

/// How a request went.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was answered, whatever the answer.
    Served(Hints),
    /// The server had too many of them.
    Throttled(Hints),
    /// Nothing was heard.
    Failed,
}

/// A request's turn.
#[must_use = "it says how a request went"]
pub struct Permit {
    turn: Option<(Arc<Shared>, Ticket)>,
}

impl Limiter {
    /// At most so many requests per second, evenly spaced; fewer if the server refuses some. Zero counts as one.
    #[must_use]
    pub fn per_second(requests: u32) -> Self {
        Self::per(requests, Duration::from_secs(1))
    }

    /// At most so many requests per window, evenly spaced; fewer if the server refuses some. Zero counts as one, and a window of no
    /// length as a nanosecond.
    ///
    /// Where the server counts costs ([`acquire_cost`](Self::acquire_cost)), it is that much cost per window.
    #[must_use]
    pub fn per(requests: u32, window: Duration) -> Self {
        Self::new(Control::fixed(f64::from(requests.max(1)), window))
    }

    /// With a fixed limit: so many requests may be sent at once, after as long a rest as they would have taken. Without one it does nothing.
    #[must_use]
    pub fn burst(self, requests: u32) -> Self {
        if let Some(shared) = &self.shared {
            shared.control().set_burst(f64::from(requests.max(1)));
        }
        self
    }

    /// Waits for nothing, whatever the server says.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { shared: None }
    }

    fn new(control: Control) -> Self {
        Self {
            shared: Some(Arc::new(Shared {
                control: Mutex::new(control),
                head: Semaphore::new(1),
                changed: Notify::new(),
            })),
        }
    }

    /// Waits until a request may be sent. Turns are given in the order of asking; one that is no longer waited for is given to the next.
    pub async fn acquire(&self) -> Permit {
        self.acquire_cost(1.0).await
    }

    /// Waits until a request may be sent that costs so much of the server's budget, in the server's units. A cost that is no positive
    /// number counts as 1.
    ///
    /// Give the cost that the server will ask for beforehand, such as the requested cost of a GraphQL query; how much it took in the
    /// end is told by the [`Budget`] of its answer.
    pub async fn acquire_cost(&self, cost: f64) -> Permit {
        let Some(shared) = &self.shared else {
            return Permit { turn: None };
        };
        let cost = if cost.is_finite() && cost > 0.0 {
            cost
        } else {
            1.0
        };
        let ticket = shared.turn(cost).await;
        Permit {
            turn: Some((shared.clone(), ticket)),
        }
    }
}

/// One that finds out what the server allows.
impl Default for Limiter {
    fn default() -> Self {
        Self::new(Control::adaptive())
    }
}

/// What it has found out, in requests (or cost) per second.
impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self
            .shared
            .as_ref()
            .and_then(|shared| shared.control().rate());
        f.debug_struct("Limiter")
            .field("per_second", &rate)
            .finish()
    }
}

impl Shared {
    async fn turn(&self, cost: f64) -> Ticket {
        // It is never closed, so it is always given. Held while waiting, by the one whose turn is next; given back however the wait ends.
        let _head = self.head.acquire().await;
        loop {
            let now = Instant::now();
            let at = {
                let mut control = self.control();
                let at = control.next_turn(now, cost);
                if at <= now {
                    return control.begin(now, cost);
                }
                at
            };
            tokio::select! {
                biased; // Which comes first makes no difference, but that a run is the same each time.
                () = tokio::time::sleep_until(at) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, ticket: Ticket, outcome: &Outcome) {
        self.control().on_answer(Instant::now(), ticket, outcome);
        self.changed.notify_one(); // The one who waits; it is kept for whoever waits next, who then looks once more than it must.
    }
}

impl Permit {
    /// Says how it went. A permit that is dropped says that nothing was heard.
    pub fn report(mut self, outcome: Outcome) {
        if let Some((shared, ticket)) = self.turn.take() {
            shared.answered(ticket, &outcome);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((shared, ticket)) = self.turn.take() {
            shared.answered(ticket, &Outcome::Failed);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

#[cfg(test)]
mod tests;
