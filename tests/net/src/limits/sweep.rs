//! Servers at random, to see of which kind the limiter does badly by.

use std::ops::Range;

use staunch::http::Limiter;

use super::run::{Run, simulate, simulate_with};
use super::scenarios::Scenario;
use super::server::{Rule, Says, Server};
use crate::random::Random;

/// Within how many seconds a limit must be found, at the beginning and after a change.
const FOUND: usize = 30;

/// What is wanted: this share of what is allowed, and less than this share of refusals.
const SERVED: f64 = 0.9;
const REFUSED: f64 = 0.05;

/// What came of one of them.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Who asked whom.
    pub about: String,
    /// The kind of its limit.
    pub kind: &'static str,
    /// The share of what is allowed that was served before the limit had to be found, and after.
    pub served: (f64, f64),
    /// The share of refusals in the first two minutes.
    pub refused: f64,
    /// The longest time without a served request, in whole seconds.
    pub stall: usize,
    /// That one who paces evenly at 95 % of the limit, which he knows, does not reach what is wanted either: answers vary too much in
    /// how long they take for a bucket that small.
    pub is_beyond_reach: bool,
}

impl Finding {
    /// That it is less than wanted, though it could be reached.
    #[must_use]
    pub fn is_miss(&self) -> bool {
        !self.is_beyond_reach && !is_wanted(self.served.1, self.refused)
    }

    /// A line of a listing.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{} {:13} {:5.1} % {:5.1} % {:5.1} % {:3} s  {}",
            match self {
                finding if finding.is_beyond_reach => "-",
                finding if finding.is_miss() => "X",
                _ => " ",
            },
            self.kind,
            100.0 * self.served.0,
            100.0 * self.served.1,
            100.0 * self.refused,
            self.stall,
            self.about,
        )
    }
}

/// How many miss what is wanted, of how many that could reach it, for each kind of limit and for all.
#[must_use]
pub fn tally(findings: &[Finding]) -> Vec<String> {
    let mut kinds: Vec<&str> = findings.iter().map(|finding| finding.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let count = |name: &str, is_of: &dyn Fn(&Finding) -> bool| {
        let of = || findings.iter().filter(|finding| is_of(finding));
        let misses = of().filter(|finding| finding.is_miss()).count();
        let beyond = of().filter(|finding| finding.is_beyond_reach).count();
        let few = of().filter(|finding| finding.is_miss() && finding.served.1 < SERVED);
        let many = of().filter(|finding| finding.is_miss() && finding.refused > REFUSED);
        format!(
            "{name:13} {misses:3} of {:3} miss ({} are served too little, {} are refused too much); {beyond} more are beyond reach",
            of().count() - beyond,
            few.count(),
            many.count(),
        )
    };
    let mut lines: Vec<String> = kinds
        .iter()
        .map(|kind| count(kind, &|finding| finding.kind == *kind))
        .collect();
    lines.push(count("all", &|_| true));
    lines
}

/// Simulates so many of them; the same for the same seed.
pub fn sweep(seed: u64, count: usize) -> impl Iterator<Item = Finding> {
    let mut random = Random::new(seed);
    (0..count).map(move |_| {
        let (kind, scenario) = scenario(&mut random);
        find(kind, &scenario)
    })
}

fn find(kind: &'static str, scenario: &Scenario) -> Finding {
    let run = simulate(scenario);
    let spans = spans(scenario);
    let is_steady = scenario.server.rates.len() == 1;
    let served = share(&run, &spans);
    let refused = run.refused(120);
    let is_beyond_reach = is_steady && !is_wanted(served, refused) && {
        let known = simulate_with(scenario, paced(scenario));
        !is_wanted(share(&known, &spans), known.refused(120))
    };
    Finding {
        about: about(scenario),
        kind,
        served: (run.share(0, FOUND), served),
        refused,
        stall: stall(&run),
        is_beyond_reach,
    }
}

fn is_wanted(served: f64, refused: f64) -> bool {
    served >= SERVED && refused <= REFUSED
}

/// One who knows the limit, and keeps 5 % below it.
fn paced(scenario: &Scenario) -> Limiter {
    let rate = 0.95 * scenario.server.rate(0.0);
    Limiter::per(
        1_000,
        std::time::Duration::from_secs_f64(1_000.0 / rate.max(1e-3)),
    )
}

/// When it should have been found: whole windows of a steady limit; of one that changes, all but the time after a change.
fn spans(scenario: &Scenario) -> Vec<Range<usize>> {
    let length = match scenario.server.rule {
        Rule::Window(seconds) | Rule::Sliding(seconds) => seconds as usize,
        _ => 1,
    };
    let rates = &scenario.server.rates;
    let ends = rates.iter().skip(1).map(|(from, _)| *from as usize);
    let ends = ends.chain([scenario.seconds]);
    rates
        .iter()
        .zip(ends)
        .map(|((from, _), end)| match *from as usize {
            0 if rates.len() == 1 && length < 60 => FOUND..FOUND + 60,
            0 => FOUND.next_multiple_of(length)..end,
            from => from + FOUND..end,
        })
        .collect()
}

fn share(run: &Run, spans: &[Range<usize>]) -> f64 {
    let mean = |value: &dyn Fn(&super::Second) -> f64| -> f64 {
        let seconds = spans.iter().flat_map(|span| &run.seconds[span.clone()]);
        seconds.map(value).sum()
    };
    mean(&|second| second.served) / mean(&|second| second.allowed)
}

fn stall(run: &Run) -> usize {
    let (mut longest, mut current) = (0, 0);
    for second in &run.seconds {
        current = if second.served == 0.0 { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    longest
}

/// Between the two, as many below as above their geometric mean.
fn between(random: &mut Random, from: f64, to: f64) -> f64 {
    let part = random.below(1_000_000) as f64 / 1e6;
    from * (to / from).powf(part)
}

/// Rates from 2/s to 1,000/s, answers that take 5 ms to 3 s, 1 to 200 callers.
fn scenario(random: &mut Random) -> (&'static str, Scenario) {
    let (rate, latency, callers) = loop {
        let rate = between(random, 2.0, 1_000.0).round();
        let latency = between(random, 0.005, 3.0);
        let callers = between(random, 1.0, 200.0).round();
        // Slower than that, and there is no limit to be found.
        if callers / latency >= 0.8 * rate {
            break (rate, latency, callers as usize);
        }
    };
    let says = [Says::Nothing, Says::Nothing, Says::RetryAfter];
    let mut says = *random.one_of(&says);
    let mut cost = (1.0, 1.0);
    let mut scale = 1.0; // Of what a request costs.
    let (kind, rule) = match random.below(20) {
        0..4 => {
            let seconds = *random.one_of(&[0.2, 1.0, 1.0, 5.0, 20.0]);
            ("bucket", Rule::Bucket((seconds * rate).max(1.0)))
        }
        4..6 => ("bucket-small", Rule::Bucket(1.0 + random.below(5) as f64)),
        6..9 => ("window-1", Rule::Window(1.0)),
        9..11 => ("sliding-1", Rule::Sliding(1.0)),
        11..14 => ("window-10", Rule::Window(10.0)),
        14..15 => ("sliding-10", Rule::Sliding(10.0)),
        15..17 => ("window-60", Rule::Window(60.0)),
        17..18 => ("sliding-60", Rule::Sliding(60.0)),
        _ => {
            scale = 10.0;
            cost = (scale, scale);
            if random.happens(50) {
                says = Says::Budget;
                cost = (scale, 6.0);
            }
            let seconds = between(random, 1.0, 20.0);
            ("cost", Rule::Bucket((scale * rate * seconds).round()))
        }
    };
    let is_long = kind.ends_with("-60");
    if is_long && random.happens(50) {
        says = Says::Headers;
    }
    let mut scenario = Scenario::new("", Server::new(rule, scale * rate), callers, latency);
    scenario.server.says = says;
    scenario.cost = cost;
    scenario.jitter = *random.one_of(&[0.0, 0.1, 0.1, 0.3]);
    scenario.seconds = if is_long { 180 } else { 120 };
    let is_changing = !is_long && cost.0 == 1.0 && random.happens(30);
    if is_changing {
        let most = random.one_of(&[2, 2, 5]);
        for change in 1..*most {
            let rate = (rate * between(random, 0.25, 4.0)).round().max(2.0);
            scenario.server.rates.push((60.0 * f64::from(change), rate));
        }
        scenario.seconds = 60 * scenario.server.rates.len();
        return ("changing", scenario);
    }
    (kind, scenario)
}

fn about(scenario: &Scenario) -> String {
    let server = &scenario.server;
    let rates: Vec<String> = server
        .rates
        .iter()
        .map(|(_, rate)| rate.to_string())
        .collect();
    format!(
        "{:?}, {}/s, {:?}; {} callers, {:.0} ms ± {:.0} %, cost {}",
        server.rule,
        rates.join(", "),
        server.says,
        scenario.callers,
        1e3 * scenario.latency,
        50.0 * scenario.jitter,
        scenario.cost.0,
    )
}
