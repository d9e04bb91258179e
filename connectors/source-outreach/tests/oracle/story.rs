//! What happens to an account, and to a capture of it.

use std::time::Duration;

use outreach_simulator::{Delay, Random, Scenario, Simulator};
use serde_json::{Value, json};
use source_outreach::{Place, SourceOutreach, chain};
use staunch::Connector;
use staunch::state::{Binding, Node};
use staunch_testkit::{Capture, CaptureFailure, Run, simulate};

use crate::account::{Captured, Positions, RESOURCES, check_each_document, check_last_versions};

/// When every story begins.
pub(crate) const BEGIN: &str = "2025-06-15T12:00:00Z";

const HOUR: u64 = 3600;

/// What a fault may be: those after which a capture goes on, and those that end it.
const FAULTS: [&str; 10] = [
    r#"{"action": {"bad_gateway": {}}, "times": 3}"#,
    r#"{"action": {"bad_gateway": {"without_words": true}}, "query": ["page[size]>200"], "times": 6}"#,
    r#"{"action": {"status": {"status": 429, "headers": {"retry-after": "60"}}}, "times": 4}"#,
    r#"{"action": {"status": {"status": 500}}, "times": 3}"#,
    r#"{"action": "disconnect", "every": 3, "times": 4}"#,
    r#"{"action": "truncate", "every": 4, "times": 3}"#,
    r#"{"action": "ignore_upper", "times": 20}"#,
    r#"{"action": "null_next", "times": 5}"#,
    r#"{"action": "empty_links", "times": 5}"#,
    r#"{"action": "garbage", "times": 1}"#,
];

pub(crate) struct Story {
    random: Random,
    simulator: Simulator,
    is_told: bool,
    state: Value,
    captured: Captured,
    /// Which release captures.
    is_first_release: bool,
    /// How often the release was changed: what is read again then is read once more each time.
    changes: usize,
    /// Whether lists come in no order. Then no record moves in one while it is paged, or else pages would miss others.
    is_shuffled: bool,
    interval: &'static str,
    window: &'static str,
    /// Requests that were looked at.
    checked: usize,
}

impl Story {
    /// Tells a story, and says how it fails.
    pub(crate) fn tell(seed: u64, is_told: bool) -> Result<(), String> {
        Self::drawn(seed, Random::of(seed, "story"), is_told)
    }

    /// The same, of numbers that are drawn in another way.
    pub(crate) fn drawn(seed: u64, random: Random, is_told: bool) -> Result<(), String> {
        simulate(BEGIN.parse().unwrap(), async {
            let mut story = Story::begin(seed, random, is_told).await;
            story.middle().await?;
            story.end().await
        })
    }

    async fn begin(seed: u64, mut random: Random, is_told: bool) -> Self {
        // The first release misses what comes to be seen late; that is why there is a second one.
        let is_first_release = random.chance(50);
        let is_shuffled = random.chance(15);
        let delays = [
            Delay::None,
            Delay::Fixed(6 * HOUR),
            Delay::UpTo(6 * HOUR),
            Delay::UpTo(600),
        ];
        let scenario = Scenario {
            seed,
            is_moving: true,
            anchor: Some(BEGIN.to_owned()),
            span_seconds: *random.one_of(&[HOUR, 24 * HOUR, 72 * HOUR]),
            ties_percent: *random.one_of(&[0, 20, 60]),
            delay: if is_first_release || is_shuffled {
                Delay::None
            } else {
                *random.one_of(&delays)
            },
            max_page_size: *random.one_of(&[2, 5, 50]),
            hourly_limit: *random.one_of(&[600, 10_000, 10_000]),
            token_seconds: 365 * 24 * HOUR,
            counts: [
                ("account".to_owned(), random.below(20)),
                ("event".to_owned(), random.below(20)),
            ]
            .into(),
            faults: if is_shuffled {
                vec![serde_json::from_str(r#"{"action": "shuffle", "path": "/api/v2/*"}"#).unwrap()]
            } else {
                Vec::new()
            },
            ..Scenario::default()
        };
        let interval = *random.one_of(&["PT5M", "PT10M", "PT30M"]);
        let window = *random.one_of(&["PT20M", "PT3H", "P1D"]);
        let story = Self {
            simulator: Simulator::start(scenario).await.unwrap(),
            is_told,
            state: json!({}),
            captured: RESOURCES
                .iter()
                .map(|(resource, _)| (*resource, Vec::new()))
                .collect(),
            is_first_release,
            changes: 0,
            is_shuffled,
            interval,
            window,
            checked: 0,
            random,
        };
        story.say(|| {
            format!(
                "release {}, interval {interval}, window {window}",
                if is_first_release { 1 } else { 2 }
            )
        });
        story
    }

    async fn middle(&mut self) -> Result<(), String> {
        let mut may_go_back = self.is_first_release;
        for _ in 0..1 + self.random.below(6) {
            self.session(None).await?;
            self.pass(3 * HOUR).await;
            if may_go_back && self.random.chance(40) {
                self.change_release()?;
                may_go_back = self.random.chance(70);
            }
        }
        Ok(())
    }

    /// Lets everything come to be seen, and to be captured.
    async fn end(&mut self) -> Result<(), String> {
        if !self.is_shuffled {
            self.simulator.control("DELETE", "faults", &Value::Null)?;
        }
        if self.is_first_release {
            self.appear_late().await?;
            self.change_release()?;
        }
        self.session(Some(14 * HOUR)).await?;
        check_last_versions(&self.simulator, &self.captured).await?;
        // The backfill or `realtime` reads a version, and `lookback` once more; each change of the release begins anew a lookback before.
        let at_most = 2 + self.changes;
        check_each_document(&self.simulator, &self.captured, at_most)
    }

    /// What the first release misses and the second still finds: records that come to be seen when its cursor has passed their time, which is of the last
    /// six hours.
    async fn appear_late(&mut self) -> Result<(), String> {
        let create = |name: &str, seconds: u64| {
            let attributes = json!({ "name": name });
            RESOURCES.map(|(_, kind)| json!({ "op": "create", "type": kind, "attributes": attributes, "visibleAfter": seconds }))
        };
        let late = 1 + self.random.below(6 * HOUR);
        self.simulator
            .control("POST", "mutate", &json!(create("late", late)))?;
        tokio::time::sleep(Duration::from_secs(60)).await;
        self.simulator
            .control("POST", "mutate", &json!(create("in time", 0)))?;
        self.session(Some(HOUR)).await
    }

    /// A session of so many seconds in peace; or of what happens to happen.
    async fn session(&mut self, seconds: Option<u64>) -> Result<(), String> {
        let place = Place::default().at(self.simulator.url());
        match self.is_first_release {
            true => {
                self.session_of(SourceOutreach::first_release(place), seconds)
                    .await
            }
            false => self.session_of(SourceOutreach::new(place), seconds).await,
        }
    }

    async fn session_of(
        &mut self,
        connector: impl Connector,
        seconds: Option<u64>,
    ) -> Result<(), String> {
        if seconds.is_none() && !self.is_shuffled && self.random.chance(50) {
            self.fault();
        }
        let before = Positions::of(&self.state, self.is_first_release);
        let bind = |resource: &str| json!({ "name": resource, "interval": self.interval });
        let mut capture = Capture::new(connector)
            .config(config(self.window))
            .with_state(self.state.clone());
        for (resource, _) in RESOURCES {
            capture = capture.bind_with(bind(resource)).keyed(["/id"]);
        }
        let mut run = capture.start();
        let ended = match seconds {
            Some(seconds) => {
                let went = run.go_on_for(Duration::from_secs(seconds)).await;
                went.map_err(|error| error.to_string())
            }
            None => self.go_on(&mut run).await,
        };
        let seen = match ended.is_ok() && self.random.chance(50) {
            true => run.stop().await.map_err(|error| error.to_string())?,
            false => run.kill(),
        };
        for (resource, documents) in &mut self.captured {
            documents.extend_from_slice(seen.documents(resource));
        }
        self.state = capture.state();
        self.say(|| format!("{ended:?}: {}", self.state));
        self.checked = before.check(&self.simulator, self.checked)?;
        self.say(|| format!("{} requests so far", self.checked));
        ended
    }

    /// What happens while the capture runs. It may fail only for a reason.
    async fn go_on<C: Connector>(&mut self, run: &mut Run<'_, C>) -> Result<(), String> {
        for _ in 0..self.random.below(8) {
            let went = match self.random.below(3) {
                0 => self.some_commits(run).await,
                _ => {
                    run.go_on_for(Duration::from_secs(1 + self.random.below(2 * HOUR)))
                        .await
                }
            };
            match went {
                Ok(()) => {}
                // A body that makes no sense is not captured from, and ends the capture.
                Err(CaptureFailure::Connector(problem)) if problem.contains("does not fit") => {
                    break;
                }
                Err(error) => return Err(error.to_string()),
            }
            if run.go_on_for(until_half_a_second()).await.is_err() {
                break;
            }
            self.mutate();
        }
        Ok(())
    }

    /// Goes on until so many checkpoints were made, which is where it may be killed.
    async fn some_commits<C: Connector>(
        &mut self,
        run: &mut Run<'_, C>,
    ) -> Result<(), CaptureFailure> {
        for _ in 0..self.random.below(5) {
            let patience = Duration::from_secs(2 * HOUR);
            if let Ok(is_running) = tokio::time::timeout(patience, run.commit()).await {
                is_running?;
            }
        }
        Ok(())
    }

    /// Time without a capture, in which the account changes.
    async fn pass(&mut self, seconds: u64) {
        for _ in 0..self.random.below(3) {
            tokio::time::sleep(Duration::from_secs(self.random.below(seconds))).await;
            tokio::time::sleep(until_half_a_second()).await;
            self.mutate();
        }
    }

    /// Records come, change and go: now, or in the middle of a list.
    fn mutate(&mut self) {
        let truth = self.simulator.versions("account");
        let alive: Vec<u64> = truth
            .iter()
            .filter(|(_, versions)| !versions.last().unwrap().is_deleted)
            .map(|(id, _)| *id)
            .collect();
        let mut mutations = Vec::new();
        for _ in 0..self.random.below(6) {
            let name = format!("name {}", self.random.below(1000));
            mutations.push(match self.random.below(10) {
                0..3 => json!({ "op": "create", "type": "account", "attributes": { "name": name } }),
                3..5 => json!({ "op": "create", "type": "event", "attributes": { "name": name } }),
                _ if alive.is_empty() || self.is_shuffled => continue,
                5..8 => json!({ "op": "update", "type": "account", "id": self.random.one_of(&alive), "attributes": { "name": name } }),
                _ => json!({ "op": "touch", "type": "account", "id": self.random.one_of(&alive) }),
            });
        }
        if let Some(id) = alive.first()
            && !self.is_shuffled
            && self.random.chance(5)
        {
            mutations.retain(|mutation| mutation["id"] != *id);
            mutations.push(json!({ "op": "delete", "type": "account", "id": id }));
        }
        self.say(|| format!("{}: {}", staunch::now(), json!(mutations)));
        let mutations = json!(mutations);
        if !self.is_first_release && self.changes == 0 && self.random.chance(30) {
            let event = json!({ "afterRequest": 1 + self.random.below(4), "path": "/api/v2/*", "mutate": mutations });
            let _ = self.simulator.control("POST", "script", &json!([event]));
            return;
        }
        self.simulator
            .control("POST", "mutate", &mutations)
            .unwrap();
    }

    fn fault(&mut self) {
        let rule: &&str = self.random.one_of(&FAULTS);
        let mut rule: Value = serde_json::from_str(rule).unwrap();
        rule["path"] = "/api/v2/*".into();
        self.say(|| format!("fault: {rule}"));
        self.simulator
            .control("POST", "faults", &json!([rule]))
            .unwrap();
    }

    /// From one release to the other. The first one opens with what the reverse of the chain makes of the state; the second migrates it itself.
    fn change_release(&mut self) -> Result<(), String> {
        self.changes += 1;
        self.is_first_release = !self.is_first_release;
        if self.is_first_release {
            let state = Node::parse(&self.state.to_string()).unwrap();
            let binding = |(resource, _): &(&str, &str)| Binding {
                state_key: (*resource).to_owned(),
                resource: None,
                is_active: true,
            };
            let bindings: Vec<Binding> = RESOURCES.iter().map(binding).collect();
            let back = chain().back_to(None).map_err(|error| error.to_string())?;
            let down = back
                .run(&state, &bindings)
                .map_err(|error| error.to_string())?;
            self.state = serde_json::from_str(&down.after.to_json()).unwrap();
        }
        self.say(|| {
            format!(
                "release {}: {}",
                if self.is_first_release { 1 } else { 2 },
                self.state
            )
        });
        Ok(())
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{}", what());
        }
    }
}

/// A config whose token is good for the whole of a story.
pub(crate) fn config(window: &str) -> Value {
    json!({
        "credentials": {
            "credentials_title": "OAuth Credentials", "client_id": "client", "client_secret": "client-secret",
            "refresh_token": "refresh-0", "access_token": "access-0", "access_token_expires_at": "2099-01-01T00:00:00Z",
        },
        "advanced": { "window_size": window },
    })
}

/// How long until it is half past a second: what is written then is in no window that ends with a second before.
fn until_half_a_second() -> Duration {
    Duration::from_millis(1500 - staunch::now().subsec_millisecond() as u64 % 1000)
}
