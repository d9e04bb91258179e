//! A plan, read back from its JSON: what one process planned, another shows.

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

use super::{Consent, Group, Plan, PlannedStep};
use crate::update::{StateUpdate, WireUpdate};

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Members {
            groups: Vec<Group>,
            steps: Vec<PlannedStep>,
            update: Box<RawValue>,
            merge_patch: bool,
            #[serde(default)] // Releases that had no consents of their own have none to tell.
            given: Vec<Consent>,
            before_bytes: usize,
            after_bytes: usize,
        }
        let members = Members::deserialize(deserializer)?;
        let updated = String::from(Box::<str>::from(members.update));
        let update =
            StateUpdate::from_wire(&updated, members.merge_patch).map_err(D::Error::custom)?;
        Ok(Plan {
            groups: members.groups,
            steps: members.steps,
            update: (!update.is_empty()).then_some(WireUpdate {
                updated,
                merge_patch: members.merge_patch,
            }),
            given: members.given,
            before_bytes: members.before_bytes,
            after_bytes: members.after_bytes,
        })
    }
}
