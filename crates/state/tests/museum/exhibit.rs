//! One mistake that happened, from its file.

use std::collections::BTreeSet;

use staunch_state::{Applied, Binding, Chain, Effects, Node, Plan, Refused, StateUpdate, Terms};

use super::support::{Migrated, node};

/// The exhibits that there are.
pub(crate) const EXHIBITS: std::ops::RangeInclusive<u8> = 1..=28;

/// What happened, and what should have.
pub(crate) struct Exhibit {
    pub(crate) what: String,
    pub(crate) before: Node,
    pub(crate) right: Node,
    /// The state that the mistake makes.
    pub(crate) mistaken: Node,
    update: Node,
}

impl Exhibit {
    pub(crate) fn m(number: u8) -> Self {
        let path = format!(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/museum/m{:02}.json"),
            number
        );
        let file = node(&std::fs::read_to_string(path).unwrap());
        let member = |name: &str| file.pointer(name).unwrap().clone();
        let (before, mistake) = (member("/before"), member("/mistake"));
        let mistaken = match mistake.pointer("/updated") {
            None => mistake,
            Some(updated) => {
                let is_patch = *mistake.pointer("/mergePatch").unwrap() == Node::boolean(true);
                let update = StateUpdate::from_wire(&updated.to_json(), is_patch).unwrap();
                update.apply(before.clone())
            }
        };
        Exhibit {
            what: member("/what").as_str().unwrap().into_owned(),
            right: member("/right"),
            update: member("/update"),
            before,
            mistaken,
        }
    }

    /// The chain makes the right state, with the right update, and a plan accepts it with these consents.
    pub(crate) fn is_put_right_by(
        &self,
        chain: &Chain,
        bindings: &[Binding],
        given: &[&str],
    ) -> Migrated {
        let migrated = Migrated::of(&self.before, chain, bindings, given);
        assert_eq!(migrated.after.to_json(), self.right.to_json());
        let update = match self.update.as_object() {
            Some(members) if members.is_empty() => String::new(),
            _ => self.update.to_json(),
        };
        assert_eq!(migrated.updated(), update);
        migrated
    }

    /// A plan of the mistake, as a step `mistaken` that declares this would have made it of everything.
    pub(crate) fn planned(&self, declared: Effects, consents: &[&str]) -> Result<Plan, Refused> {
        planned(&self.before, &self.mistaken, declared, consents)
    }

    /// Why that is refused.
    pub(crate) fn refused(&self, declared: Effects) -> Refused {
        self.planned(declared, &[]).expect_err(&self.what)
    }
}

/// A plan of one state that became another, by a step `mistaken` that declares this.
pub(crate) fn planned(
    before: &Node,
    after: &Node,
    declared: Effects,
    consents: &[&str],
) -> Result<Plan, Refused> {
    let states = [before, after].map(|state| state.pointer("/bindingStateV1"));
    let states = states.into_iter().flatten().filter_map(Node::as_object);
    let keys: BTreeSet<&str> = states.flat_map(|states| states.keys()).collect();
    let applied = Applied {
        migration: "mistaken".to_owned(),
        state_keys: keys.into_iter().map(Into::into).collect(),
    };
    let terms = Terms {
        declared: [("mistaken".to_owned(), declared)].into_iter().collect(),
        consents: consents.iter().map(|text| text.parse().unwrap()).collect(),
        ..Terms::default()
    };
    staunch_state::plan(before, after, &[], &[applied], &terms)
}

/// A refusal names the step and all of these, in this order, and says what to do behind a semicolon.
pub(crate) fn says(refused: &(impl std::fmt::Display + ?Sized), named: &[&str], remedy: &str) {
    let text = refused.to_string();
    let mut rest = text.as_str();
    for part in named {
        let at = rest.find(part);
        let at = at.unwrap_or_else(|| panic!("`{text}` lacks `{part}` behind the others"));
        rest = &rest[at + part.len()..];
    }
    let (_, said) = text
        .split_once("; ")
        .expect("a semicolon before the remedy");
    assert!(said.contains(remedy), "`{said}` is not `{remedy}`");
}

#[test]
fn every_exhibit_is_complete_and_its_update_makes_the_right_state_of_the_one_before() {
    for number in EXHIBITS {
        let exhibit = Exhibit::m(number);
        assert!(exhibit.what.ends_with('.'), "m{number}");
        let update = StateUpdate::from_wire(&exhibit.update.to_json(), true).unwrap();
        let made = update.apply(exhibit.before.clone());
        assert!(made.same_state(&exhibit.right), "m{number}: {made}");
        let is_wrong = !exhibit.mistaken.same_state(&exhibit.right);
        assert_ne!(
            exhibit.mistaken.to_json(),
            exhibit.right.to_json(),
            "m{number}"
        );
        assert!(is_wrong, "m{number}");
    }
}
