//! What is asked of every recorded state: its migration passes, and is one update that says exactly this.

use staunch_state::{
    Binding, Chain, Consent, Node, Outcome, Plan, Refused, StateUpdate, Terms, plan, survey,
};

/// A state, or a member of one, from its text.
pub(crate) fn node(text: &str) -> Node {
    Node::parse(text).unwrap()
}

/// A binding that is open.
pub(crate) fn bound(state_key: &str) -> Binding {
    Binding {
        state_key: state_key.to_owned(),
        resource: Some(node("{}")),
        is_active: true,
    }
}

/// What is held against the checks: the chain's own declarations, and the consents of a person.
pub(crate) fn terms(chain: &Chain, consents: &[&str]) -> Terms {
    Terms {
        declared: chain.declared(),
        consents: consents.iter().map(|text| text.parse().unwrap()).collect(),
        ..Terms::default()
    }
}

/// What the chain makes of a state, planned.
pub(crate) struct Migrated {
    pub(crate) after: Node,
    pub(crate) plan: Plan,
}

impl Migrated {
    /// Runs the chain and plans the result, with these consents, each of which must be needed.
    pub(crate) fn of(before: &Node, chain: &Chain, bindings: &[Binding], given: &[&str]) -> Self {
        let migrated = chain.run(before, bindings).unwrap();
        let terms = terms(chain, given);
        let looked_at = survey(before, &migrated.after, bindings, &migrated.applied, &terms);
        let needed: Vec<String> = looked_at
            .unwrap()
            .needed()
            .iter()
            .map(Consent::to_string)
            .collect();
        assert_eq!(needed, given, "the consents that are needed, no more");
        let plan = plan(before, &migrated.after, bindings, &migrated.applied, &terms).unwrap();
        let this = Migrated {
            after: migrated.after,
            plan,
        };
        this.is_one_merge_patch(before);
        this.is_the_same_read_back();
        this.is_done(chain, bindings);
        this
    }

    /// The update on the wire; empty text for none.
    pub(crate) fn updated(&self) -> String {
        let wire = self.plan.update.as_ref();
        wire.map(|one| one.updated.clone()).unwrap_or_default()
    }

    /// What becomes of a binding.
    pub(crate) fn outcome(&self, state_key: &str) -> Outcome {
        let (group, _) = self.plan.binding(state_key).expect("it is planned");
        group.outcome
    }

    fn is_one_merge_patch(&self, before: &Node) {
        let wire = &self.plan.update;
        assert!(wire.iter().all(|one| one.merge_patch), "{wire:?}");
        let difference = StateUpdate::diff(before, &self.after).to_wire().pop();
        assert_eq!(*wire, difference, "it is the smallest there is");
        let made = self.plan.apply(before.clone());
        assert!(made.same_state(&self.after), "{made} is not {}", self.after);
    }

    /// One process plans, another sends: byte for byte the same.
    fn is_the_same_read_back(&self) {
        let text = serde_json::to_string(&self.plan).unwrap();
        let read: Plan = serde_json::from_str(&text).unwrap();
        assert_eq!(read.update, self.plan.update);
    }

    /// The second run finds nothing, on the state as it was made and as it was stored.
    fn is_done(&self, chain: &Chain, bindings: &[Binding]) {
        let again = chain.run(&self.after, bindings).unwrap();
        assert!(again.applied.is_empty(), "{:?}", again.applied);
        assert_eq!(again.after.to_json(), self.after.to_json());
    }
}

/// Why the plan refuses what the chain makes of a state.
pub(crate) fn refusal(before: &Node, chain: &Chain, bindings: &[Binding]) -> Refused {
    let migrated = chain.run(before, bindings).unwrap();
    plan(
        before,
        &migrated.after,
        bindings,
        &migrated.applied,
        &terms(chain, &[]),
    )
    .unwrap_err()
}
