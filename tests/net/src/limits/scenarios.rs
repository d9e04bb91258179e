//! What is simulated.

use super::server::{Others, Rule, Says, Server};

/// Clients and a server.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called, also as a file.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Whom they ask.
    pub server: Server,
    /// How many ask at the same time.
    pub callers: usize,
    /// Seconds from a question to its answer.
    pub latency: f64,
    /// How much of that is chance.
    pub jitter: f64,
    /// What a request costs beforehand, and in the end.
    pub cost: (f64, f64),
    /// How long it runs.
    pub seconds: usize,
}

impl Scenario {
    /// Two minutes of requests that cost 1.
    #[must_use]
    pub fn new(name: &'static str, server: Server, callers: usize, latency: f64) -> Self {
        Self {
            name,
            about: "",
            server,
            callers,
            latency,
            jitter: 0.1,
            cost: (1.0, 1.0),
            seconds: 120,
        }
    }

    fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    fn says(mut self, says: Says) -> Self {
        self.server.says = says;
        self
    }

    fn cost(mut self, requested: f64, actual: f64) -> Self {
        self.cost = (requested, actual);
        self
    }

    fn seconds(mut self, seconds: usize) -> Self {
        self.seconds = seconds;
        self
    }

    fn rates(mut self, rates: &[(f64, f64)]) -> Self {
        self.server.rates = rates.to_vec();
        self
    }

    fn others(mut self, others: Others) -> Self {
        self.server.others.push(others);
        self
    }
}

/// Those that are drawn.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    let mut all = steady();
    all.extend(changing());
    all.extend(wrong());
    all
}

/// Limits that stay.
fn steady() -> Vec<Scenario> {
    let bucket = |rate: f64| Server::new(Rule::Bucket(rate), rate);
    let window = |rate: f64, length: f64| Server::new(Rule::Window(length), rate);
    vec![
        Scenario::new(
            "no-limit",
            Server::new(Rule::Nothing, f64::INFINITY),
            10,
            0.1,
        )
        .about("no limit"),
        Scenario::new("bucket", bucket(20.0), 10, 0.1).about("a bucket of 20, filled at 20/s"),
        Scenario::new("bucket-one-caller", bucket(10.0), 1, 0.02)
            .about("a bucket of 10, filled at 10/s"),
        Scenario::new(
            "bucket-large",
            Server::new(Rule::Bucket(500.0), 50.0),
            50,
            0.2,
        )
        .about("a bucket of 500, filled at 50/s"),
        Scenario::new("bucket-far-away", bucket(20.0), 50, 2.0)
            .about("a bucket of 20, filled at 20/s")
            .seconds(180),
        Scenario::new("bucket-retry-after", bucket(20.0), 10, 0.1)
            .about("a bucket of 20, filled at 20/s; `Retry-After`")
            .says(Says::RetryAfter),
        Scenario::new(
            "bucket-of-one",
            Server::new(Rule::Bucket(1.0), 20.0),
            10,
            0.1,
        )
        .about("a bucket of 1, filled at 20/s"),
        Scenario::new("bucket-many-callers", bucket(10.0), 100, 0.02)
            .about("a bucket of 10, filled at 10/s"),
        Scenario::new("bucket-slow", bucket(2.0), 100, 0.1).about("a bucket of 2, filled at 2/s"),
        Scenario::new("window-second", window(20.0, 1.0), 10, 0.1).about("20 in each second"),
        Scenario::new("window-second-fast", window(200.0, 1.0), 50, 0.02)
            .about("200 in each second"),
        Scenario::new("window-second-retry-after", window(60.0, 1.0), 25, 0.02)
            .about("60 in each second; `Retry-After`")
            .says(Says::RetryAfter),
        Scenario::new("window-ten", window(12.0, 10.0), 12, 0.1).about("120 in each ten seconds"),
        Scenario::new("window-ten-many-callers", window(3.0, 10.0), 100, 0.1)
            .about("30 in each ten seconds"),
        Scenario::new(
            "window-sliding",
            Server::new(Rule::Sliding(1.0), 50.0),
            10,
            0.1,
        )
        .about("50 in any second"),
        Scenario::new("window-minute", window(20.0, 60.0), 10, 0.1)
            .about("1,200 in each minute")
            .seconds(300),
        Scenario::new("window-minute-headers", window(20.0, 60.0), 10, 0.1)
            .about("1,200 in each minute; `X-RateLimit-*`")
            .says(Says::Headers)
            .seconds(300),
        Scenario::new("window-minute-draft", window(20.0, 60.0), 50, 0.2)
            .about("1,200 in each minute; `RateLimit`")
            .says(Says::Draft)
            .seconds(300),
        Scenario::new(
            "cost-told",
            Server::new(Rule::Bucket(1_000.0), 100.0),
            10,
            0.3,
        )
        .about("a budget of 1,000, restored at 100/s; throttle status; queries of 50 that cost 30")
        .says(Says::Budget)
        .cost(50.0, 30.0),
        Scenario::new(
            "cost-not-told",
            Server::new(Rule::Bucket(1_000.0), 500.0),
            10,
            0.3,
        )
        .about("a budget of 1,000, restored at 500/s; queries of 30")
        .cost(30.0, 30.0),
    ]
}

/// Limits that change, and others who ask.
fn changing() -> Vec<Scenario> {
    let bucket = |rate: f64| Server::new(Rule::Bucket(rate), rate);
    let others = |rate: f64| Others {
        from: 60.0,
        until: 100.0,
        rate,
    };
    vec![
        Scenario::new("cut-and-raised", bucket(40.0), 20, 0.1)
            .about("a bucket, filled at 40/s, from 60 s on at 10/s, from 120 s on at 40/s")
            .rates(&[(0.0, 40.0), (60.0, 10.0), (120.0, 40.0)])
            .seconds(180),
        Scenario::new(
            "window-cut-and-raised",
            Server::new(Rule::Window(1.0), 40.0),
            20,
            0.1,
        )
        .about("40 in each second, from 60 s on 20, from 120 s on 80")
        .rates(&[(0.0, 40.0), (60.0, 20.0), (120.0, 80.0)])
        .seconds(180),
        Scenario::new("slow-raised", bucket(4.0), 10, 0.2)
            .about("a bucket of 4, filled at 4/s, from 60 s on at 12/s")
            .rates(&[(0.0, 4.0), (60.0, 12.0)])
            .seconds(180),
        Scenario::new("others", bucket(40.0), 20, 0.1)
            .about("a bucket, filled at 40/s; from 60 s to 100 s others take 25/s")
            .others(others(25.0))
            .seconds(160),
        Scenario::new(
            "at-once",
            Server::new(Rule::AtOnce(5), f64::INFINITY),
            20,
            0.1,
        )
        .about("5 requests at once")
        .rates(&[(0.0, 100.0)]),
    ]
}

/// Headers that are not true.
fn wrong() -> Vec<Scenario> {
    let bucket = |rate: f64| Server::new(Rule::Bucket(rate), rate);
    vec![
        Scenario::new("wrong-year", bucket(20.0), 10, 0.1)
            .about("a bucket of 20, filled at 20/s; a `Retry-After` of a year")
            .says(Says::Year)
            .seconds(700),
        Scenario::new(
            "wrong-nothing-left",
            Server::new(Rule::Nothing, f64::INFINITY),
            10,
            0.1,
        )
        .about("no limit; headers say that nothing is left for a year")
        .says(Says::NothingLeft),
        Scenario::new("wrong-nonsense", bucket(20.0), 10, 0.1)
            .about("a bucket of 20, filled at 20/s; headers that make no sense")
            .says(Says::Nonsense),
    ]
}
