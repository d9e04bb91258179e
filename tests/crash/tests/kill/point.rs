//! Points at which a run is killed, and the orders that have it so.

use std::fmt;

use serde_json::Value;
use staunch_crash_tests::log::Message;
use staunch_crash_tests::script::Release;

use crate::found::without_times;
use crate::project::Ended;

/// Who is killed at a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Connector,
    Runtime,
    Both,
}

impl Victim {
    pub(crate) const ALL: [Victim; 3] = [Victim::Connector, Victim::Runtime, Victim::Both];
}

/// Where a run of a release is killed, and where, if at all, the run after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) release: Release,
    at: At,
    /// The store step at which the run is killed that recovers.
    pub(crate) then: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    Message { number: usize, victim: Victim },
    Step { number: usize, name: String },
}

impl Point {
    pub(crate) fn message(release: Release, number: usize, victim: Victim) -> Self {
        Self {
            release,
            at: At::Message { number, victim },
            then: None,
        }
    }

    pub(crate) fn step(release: Release, number: usize, name: &str) -> Self {
        Self {
            release,
            at: At::Step {
                number,
                name: name.to_owned(),
            },
            then: None,
        }
    }

    /// The same, and the run that recovers is killed at a store step.
    pub(crate) fn then(self, step: usize) -> Self {
        Self {
            then: Some(step),
            ..self
        }
    }

    pub(crate) fn is_named(&self, step: &str) -> bool {
        matches!(&self.at, At::Step { name, .. } if name == step)
    }

    /// Who is killed. A store step is the runtime's.
    pub(crate) fn victim(&self) -> Victim {
        match self.at {
            At::Message { victim, .. } => victim,
            At::Step { .. } => Victim::Runtime,
        }
    }

    /// Whether a run that was killed came here by the same way as the run that was not.
    pub(crate) fn is_reached_as_in(&self, killed: &Ended, reference: &Ended) -> bool {
        match self.at {
            At::Step { number, .. } => killed.steps.get(..number) == reference.steps.get(..number),
            At::Message { number, .. } => {
                let way = |ended: &Ended| {
                    let messages = ended.log.messages.get(..number);
                    messages.map(|messages| messages.iter().map(landmark).collect::<Vec<_>>())
                };
                way(killed) == way(reference)
            }
        }
    }

    /// Variables of the environment that have the run killed here.
    ///
    /// The boundary between two messages is told by the first of them where the runtime is killed, which may then still
    /// read it, and by the second in the other cases, where the message is lost with the connector.
    pub(crate) fn orders(&self) -> Vec<(&'static str, String)> {
        match self.at {
            At::Step { number, .. } => step_orders(number),
            At::Message { number, victim } => {
                let (victim, side) = match victim {
                    Victim::Connector => ("connector", "before"),
                    Victim::Runtime => ("runtime", "after"),
                    Victim::Both => ("both", "before"),
                };
                vec![
                    ("RELAY_KILL_AT", number.to_string()),
                    ("RELAY_KILL", victim.to_owned()),
                    ("RELAY_SIDE", side.to_owned()),
                ]
            }
        }
    }
}

/// What tells a message from others of its run: not what is another in each run.
fn landmark(message: &Message) -> (bool, String, Option<Value>) {
    let is_said = matches!(
        message.kind.as_str(),
        "captured" | "checkpoint" | "acknowledge"
    );
    let body = is_said.then(|| without_times(message.body.clone()));
    (message.is_request, message.kind.clone(), body)
}

/// Variables of the environment that have a run killed at a store step.
pub(crate) fn step_orders(number: usize) -> Vec<(&'static str, String)> {
    vec![("STAUNCH_CRASH_AT", number.to_string())]
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} release", self.release)?;
        if let At::Step { name, .. } = &self.at {
            write!(f, ", `{name}`")?;
        }
        for (name, value) in self.orders() {
            write!(f, " {name}={value}")?;
        }
        match self.then {
            None => Ok(()),
            Some(step) => write!(f, ", then STAUNCH_CRASH_AT={step}"),
        }
    }
}
