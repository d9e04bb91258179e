//! What `staunch migrate new` writes. It compiles as it is: the example is a whole migration, of the state beside it.

use super::name::Name;

/// The old state that the example migrates.
pub(super) const EXAMPLE_STATE: &str = r#"{
  "bindingStateV1": {
    "orders": {
      "inc": {
        "cursor": "2026-03-01T09:12:44Z"
      },
      "old_member": "put a state here that the last release wrote"
    }
  }
}
"#;

const STEP: &str = r#"//! `NAME`: from a shape of state that was released to the next.

use staunch::state::{Binding, Effects, Migration, MigrationError, Object};

/// Removes a member of a binding's state: an example, which makes room for what you change.
///
/// ```text
/// before  {"inc": {"cursor": …}, "old_member": …}
/// after   {"inc": {"cursor": …}}
/// ```
pub(crate) struct STEP;

impl Migration for STEP {
    // Recorded with every state that it changes: it never changes, and no other step is named so.
    fn name(&self) -> &str {
        "NAME"
    }

    // Whether a binding's state has the old shape. It must be false of what `migrate` answers.
    fn applies(&self, _binding: &Binding, state: &Object) -> bool {
        state.contains("old_member")
    }

    // The whole new state, never a patch: what becomes of the old members is found out.
    fn migrate(&self, _binding: &Binding, mut state: Object) -> Result<Object, MigrationError> {
        state.remove("old_member").ok_or_else(|| {
            MigrationError::failed("/old_member", "is not there; ask `applies` first")
        })?;
        Ok(state)
    }

    // What the safety checks would refuse unless it is said here: members beside `inc`, `backfill`
    // and `snapshot` that change, and cursors that move.
    fn declares(&self) -> Effects {
        Effects::NONE.edits("/old_member")
    }

    // The way back, if there is one: the step that makes the old shape of the new one.
    //
    // fn reverse(&self) -> Option<Box<dyn Migration>> {
    //     Some(Box::new(STEPBack))
    // }
}

#[cfg(test)]
mod tests {
    use staunch::state::{Chain, Node};

    use super::STEP;

    #[test]
    fn the_old_state_is_carried_over_once() {
        let before = include_str!("../../tests/states/NAME.json");
        let before = Node::parse(before).expect("the fixture is JSON");
        let chain = Chain::new().with(STEP);
        let after = chain.run(&before, &[]).expect("the step succeeds").after;
        assert_ne!(after, before, "the step applies to no binding");
        let again = chain.run(&after, &[]).expect("the step succeeds").after;
        assert_eq!(again, after);
    }
}
"#;

const CHAIN: &str = r#"//! From the shapes of state that were released to today's: a module for each step.

use staunch::state::Chain;

mod MODULE;

/// The steps, oldest first. Add to the end; a step that was released stays as it is.
pub(crate) fn chain() -> Chain {
    CHAIN
}
"#;

/// What hands the chain of `migrations.rs` to the kit.
pub(super) const HOOK: &str = "\
fn migrations(&self, _: &Self::Config) -> staunch::state::Chain {
    crate::migrations::chain()
}";

/// What checks the chain in the connector's tests.
pub(super) const HARNESS: &str = "\
#[test]
fn every_released_state_is_carried_over() {
    let states = concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/tests/states\");
    staunch_testkit::check_migrations(crate::migrations::chain(), states);
}";

/// The crate that it is from.
pub(super) const HARNESS_CRATE: &str = "\
[dev-dependencies]
staunch-testkit = { … }";

/// Characters of a chain of calls that `rustfmt` leaves on one line.
const CHAIN_WIDTH: usize = 60;

/// The module of the step.
pub(super) fn step(name: &Name) -> String {
    STEP.replace("NAME", &name.recorded)
        .replace("STEP", &name.step)
}

/// `migrations.rs`, with the step in its chain.
pub(super) fn chain(name: &Name) -> String {
    let with = with(name);
    let chain = match "Chain::new()".len() + with.len() <= CHAIN_WIDTH {
        true => format!("Chain::new(){with}"),
        false => format!("Chain::new()\n        {with}"),
    };
    CHAIN
        .replace("MODULE", &name.module)
        .replace("CHAIN", &chain)
}

/// What adds the step to a chain beside its module.
pub(super) fn with(name: &Name) -> String {
    format!(".with({}::{})", name.module, name.step)
}
