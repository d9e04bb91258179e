//! `split-cursor`: from a shape of state that was released to the next.

use staunch::state::{Binding, Effects, Migration, MigrationError, Object};

/// Removes a member of a binding's state: an example, which makes room for what you change.
///
/// ```text
/// before  {"inc": {"cursor": …}, "old_member": …}
/// after   {"inc": {"cursor": …}}
/// ```
pub(crate) struct SplitCursor;

impl Migration for SplitCursor {
    // Recorded with every state that it changes: it never changes, and no other step is named so.
    fn name(&self) -> &str {
        "split-cursor"
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
    //     Some(Box::new(SplitCursorBack))
    // }
}

#[cfg(test)]
mod tests {
    use staunch::state::{Chain, Node};

    use super::SplitCursor;

    #[test]
    fn the_old_state_is_carried_over_once() {
        let before = include_str!("../../tests/states/split-cursor.json");
        let before = Node::parse(before).expect("the fixture is JSON");
        let chain = Chain::new().with(SplitCursor);
        let after = chain.run(&before, &[]).expect("the step succeeds").after;
        assert_ne!(after, before, "the step applies to no binding");
        let again = chain.run(&after, &[]).expect("the step succeeds").after;
        assert_eq!(again, after);
    }
}
