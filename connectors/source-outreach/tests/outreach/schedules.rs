//! What becomes of records that change, appear late and are read by sessions that come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use outreach_simulator::{Delay, Random, Scenario};
use serde_json::{Value, json};

use crate::support::{Outreach, config, eager};
use crate::tokens::mint;

struct Schedule {
    outreach: Outreach,
    random: Random,
    state: Value,
    /// By id, the name that it was given last.
    expected: BTreeMap<u64, Value>,
    /// By id, the name in the document that was captured last.
    captured: BTreeMap<u64, Value>,
    pulses: u64,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let scenario = Scenario {
            seed,
            delay: Delay::UpTo(6 * 3600),
            max_page_size: 7,
            hourly_limit: 1_000_000,
            ..Scenario::default()
        };
        Self {
            outreach: Outreach::start(scenario.with("team", 20).with("user", 1)),
            random: Random::new(seed),
            state: json!({}),
            expected: BTreeMap::new(),
            captured: BTreeMap::new(),
            pulses: 0,
        }
    }

    /// Changes some teams, one of them twice in the same instant at times.
    fn mutate(&mut self, nth: u64) {
        for change in 0..1 + self.random.below(4) {
            let (id, name) = (1 + self.random.below(20), format!("{nth}-{change}"));
            let mutation =
                json!({ "op": "update", "type": "team", "id": id, "attributes": { "name": name } });
            self.outreach.mutate(json!([mutation]));
            self.expected.insert(id, name.into());
            if self.random.below(2) == 0 {
                self.outreach
                    .advance(Duration::from_millis(self.random.below(90_000)));
            }
        }
    }

    /// A session that ends after some checkpoints. A user that changes sees to it that there is one at all.
    fn session(&mut self, checkpoints: usize) {
        self.pulses += 1;
        let pulse = format!("pulse-{}", self.pulses);
        let touch = json!({
            "op": "update", "type": "user", "id": 1, "attributes": { "name": pulse }, "visibleAfter": 0,
        });
        self.outreach.mutate(json!([touch]));
        self.outreach.advance(Duration::from_secs(1));
        let mut config = config();
        config["credentials"]["access_token"] = mint(&self.outreach).into();
        let capture = self
            .outreach
            .capture()
            .config(config)
            .bind_with(eager("teams"))
            .bind_with(eager("users"));
        let mut capture = capture.with_state(self.state.clone());
        let beats = |users: &[Value]| {
            users
                .iter()
                .any(|user| user["attributes"]["name"] == json!(pulse))
        };
        let seen = capture
            .run_until(|seen| seen.checkpoints() > checkpoints || beats(seen.documents("users")));
        let seen = seen.unwrap();
        self.state = capture.state();
        for team in seen.documents("teams") {
            let name = team["attributes"]["name"].clone();
            self.captured.insert(team["id"].as_u64().unwrap(), name);
        }
    }

    fn is_missing(&self) -> bool {
        self.expected
            .iter()
            .any(|(id, name)| self.captured.get(id) != Some(name))
    }
}

#[test]
fn the_last_version_of_each_record_is_captured_however_late_it_appears() {
    for seed in 0..12 {
        let mut schedule = Schedule::new(seed);
        for nth in 0..8 {
            schedule.mutate(nth);
            let checkpoints = schedule.random.below(6);
            schedule.session(usize::try_from(checkpoints).unwrap());
            let pause = schedule.random.below(5 * 3600);
            schedule.outreach.advance(Duration::from_secs(pause));
        }
        // All can be seen by then, and each of these sessions makes one window of each at least.
        for _ in 0..40 {
            if !schedule.is_missing() {
                break;
            }
            schedule.outreach.advance(Duration::from_secs(3 * 3600));
            schedule.session(1);
        }
        assert_eq!(
            schedule
                .expected
                .iter()
                .find(|(id, name)| schedule.captured.get(id) != Some(name)),
            None,
            "seed {seed}: {:#}",
            schedule.state
        );
        assert_eq!(
            schedule.captured.len(),
            20,
            "seed {seed}: the backfill is whole"
        );
    }
}
