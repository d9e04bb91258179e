//! A server that refuses what is too much.

use std::collections::VecDeque;

use axum::http::{HeaderMap, HeaderValue};

/// By what a server counts. Rates are per second.
#[derive(Clone, Debug)]
pub enum Rule {
    /// As much as the rate allows in windows of so many seconds, which begin at fixed times.
    Window(f64),
    /// As much as the rate allows in any window of so many seconds.
    Sliding(f64),
    /// A bucket that holds so much, and is filled at the rate.
    Bucket(f64),
    /// So many requests at once, whatever the rate.
    AtOnce(usize),
    /// Everything.
    Nothing,
}

/// What an answer tells of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Nothing but that a request is refused.
    Nothing,
    /// `Retry-After` in whole seconds, rounded up, on a refusal.
    RetryAfter,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset` in whole seconds.
    Headers,
    /// `RateLimit` and `RateLimit-Policy`.
    Draft,
    /// The throttle status of a GraphQL server.
    Budget,
    /// A `Retry-After` of a year.
    Year,
    /// That nothing is left until next year, on every answer.
    NothingLeft,
    /// Headers that make no sense.
    Nonsense,
}

/// Other clients of the same server.
#[derive(Clone, Copy, Debug)]
pub struct Others {
    /// From when, in seconds.
    pub from: f64,
    /// Until when.
    pub until: f64,
    /// How much they ask for per second.
    pub rate: f64,
}

/// A server. Times are seconds since it began.
#[derive(Clone, Debug)]
pub struct Server {
    /// By what it counts.
    pub rule: Rule,
    /// Rates and from when on they hold, the first one from the beginning.
    pub rates: Vec<(f64, f64)>,
    /// Who else asks it.
    pub others: Vec<Others>,
    /// What it tells.
    pub says: Says,
    state: State,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// Until when it was simulated.
    now: f64,
    /// What was used of this window, be it fixed or sliding, or is left in the bucket.
    used: f64,
    window: u64,
    tokens: Option<f64>,
    recent: VecDeque<(f64, f64)>,
    at_once: usize,
    /// How much of a request the others have not asked for yet.
    others: f64,
}

impl Server {
    /// One with a steady rate.
    #[must_use]
    pub fn new(rule: Rule, rate: f64) -> Self {
        Self {
            rule,
            rates: vec![(0.0, rate)],
            others: Vec::new(),
            says: Says::Nothing,
            state: State::default(),
        }
    }

    /// The rate at a time.
    #[must_use]
    pub fn rate(&self, at: f64) -> f64 {
        let holds = self.rates.iter().rev().find(|(from, _)| *from <= at);
        holds.map_or(f64::INFINITY, |(_, rate)| *rate)
    }

    /// What others leave of it.
    #[must_use]
    pub fn rate_for_us(&self, at: f64) -> f64 {
        let others = self
            .others
            .iter()
            .filter(|others| (others.from..others.until).contains(&at));
        self.rate(at) - others.map(|others| others.rate).sum::<f64>()
    }

    /// A request arrives that costs so much beforehand. Whether it is served.
    pub fn ask(&mut self, at: f64, cost: f64) -> bool {
        self.advance(at);
        self.take(at, cost)
    }

    /// A request that was served is done. It has cost so much less.
    pub fn done(&mut self, refund: f64) {
        self.state.at_once = self.state.at_once.saturating_sub(1);
        if let (Rule::Bucket(size), Some(tokens)) = (&self.rule, &mut self.state.tokens) {
            *tokens = (*tokens + refund).min(*size);
        }
    }

    fn take(&mut self, at: f64, cost: f64) -> bool {
        let rate = self.rate(at);
        let state = &mut self.state;
        match self.rule {
            Rule::Window(length) => {
                let window = (at / length) as u64;
                if window != state.window {
                    (state.window, state.used) = (window, 0.0);
                }
                let fits = state.used + cost <= (rate * length).round();
                state.used += if fits { cost } else { 0.0 };
                fits
            }
            Rule::Sliding(length) => {
                while let Some((_, cost)) =
                    state.recent.pop_front_if(|(then, _)| *then <= at - length)
                {
                    state.used -= cost;
                }
                let fits = state.used + cost <= (rate * length).round();
                if fits {
                    state.recent.push_back((at, cost));
                    state.used += cost;
                }
                fits
            }
            Rule::Bucket(size) => {
                let tokens = state.tokens.get_or_insert(size);
                let fits = *tokens + 1e-9 >= cost;
                *tokens -= if fits { cost } else { 0.0 };
                fits
            }
            Rule::AtOnce(most) => {
                let fits = state.at_once < most;
                state.at_once += usize::from(fits);
                fits
            }
            Rule::Nothing => true,
        }
    }

    /// Fills the bucket, and lets the others ask.
    fn advance(&mut self, to: f64) {
        const STEP: f64 = 0.005;
        while self.state.now < to {
            let step = STEP.min(to - self.state.now);
            let now = self.state.now + step;
            self.state.now = now;
            if let (Rule::Bucket(size), rate) = (&self.rule, self.rate(now)) {
                let tokens = self.state.tokens.unwrap_or(*size);
                self.state.tokens = Some((tokens + rate * step).min(*size));
            }
            let wanted = self.rate(now) - self.rate_for_us(now);
            self.state.others += wanted * step;
            while self.state.others >= 1.0 {
                self.state.others -= 1.0;
                self.take(now, 1.0);
            }
        }
    }

    /// What is left, of how much, and seconds until all of it is there again.
    #[must_use]
    pub fn left(&self, at: f64) -> (f64, f64, f64) {
        let rate = self.rate(at);
        match self.rule {
            Rule::Window(length) => {
                let used = if (at / length) as u64 == self.state.window {
                    self.state.used
                } else {
                    0.0
                };
                let limit = (rate * length).round();
                (limit - used, limit, length - at % length)
            }
            Rule::Sliding(length) => {
                let first = self.state.recent.front().map_or(at, |(then, _)| *then);
                let limit = (rate * length).round();
                (
                    limit - self.state.used,
                    limit,
                    (first + length - at).max(0.0),
                )
            }
            Rule::Bucket(size) => {
                let tokens = self.state.tokens.unwrap_or(size);
                (tokens, size, (size - tokens) / rate)
            }
            Rule::AtOnce(_) | Rule::Nothing => (f64::MAX, f64::MAX, 0.0),
        }
    }

    /// The headers of an answer.
    #[must_use]
    pub fn headers(&self, at: f64, is_served: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: String| {
            headers.insert(
                name,
                HeaderValue::from_str(&value).expect("it is plain text"),
            );
        };
        let (left, limit, reset) = self.left(at);
        match self.says {
            Says::Nothing | Says::Budget => {}
            Says::RetryAfter if is_served => {}
            Says::RetryAfter => {
                let wait = match self.rule {
                    Rule::Bucket(_) => 1.0 / self.rate(at),
                    _ => reset,
                };
                set("retry-after", wait.ceil().to_string());
            }
            Says::Headers => {
                set("x-ratelimit-limit", limit.floor().to_string());
                set("x-ratelimit-remaining", left.floor().to_string());
                set("x-ratelimit-reset", reset.ceil().to_string());
            }
            Says::Draft => {
                set(
                    "ratelimit-policy",
                    format!("\"default\";q={};w=60", limit.floor()),
                );
                set(
                    "ratelimit",
                    format!("\"default\";r={};t={}", left.floor(), reset.ceil()),
                );
            }
            Says::Year if is_served => {}
            Says::Year => set("retry-after", "31536000".to_owned()),
            Says::NothingLeft => {
                set("x-ratelimit-limit", "100".to_owned());
                set("x-ratelimit-remaining", "0".to_owned());
                set("x-ratelimit-reset", "31536000".to_owned());
            }
            Says::Nonsense => {
                set("retry-after", "-5".to_owned());
                set("x-ratelimit-limit", "many".to_owned());
                set("x-ratelimit-remaining", "-3.5e999".to_owned());
                set(
                    "x-ratelimit-reset",
                    "Thu, 01 Jan 1970 00:00:00 GMT".to_owned(),
                );
                set("ratelimit", "limit=;;==,\"a\";r;t=x".to_owned());
            }
        }
        headers
    }
}
