//! Mistakes that a migration can make, made on purpose: a plan must refuse each of them.
//!
//! A mistake is made in the migrated state, as if the chain had made it, and the plan is asked with all that the chain declares and
//! without consents. Where a mistake would do no harm, or is declared, it is none, and is not made: whether positions get lost is told
//! by the simulation of [`crate::reading`], not by the plan.

mod make;

use std::fmt;

use staunch_state::{Chain, MigrationError, Node, Object, plan, transform};

use crate::case::{Case, Subject};
use crate::law::{Law, Violation};
use crate::laws::Sound;

pub(crate) use make::Made;

/// A mistake of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mutation {
    /// A member beside `inc`, `backfill` and `snapshot` is gone.
    ForgetsSibling,
    /// Old members stand beside the new ones.
    KeepsResidue,
    /// A cursor is later by its smallest unit.
    MovesForward,
    /// A cursor is much later.
    MovesFarForward,
    /// A cursor is earlier than anything that is declared.
    MovesTooFarBack,
    /// The state of a disabled binding is gone.
    DropsDisabled,
    /// The state of a binding that is no more is gone.
    DropsOrphan,
    /// Every binding but one is gone.
    DropsAllButOne,
    /// A subtask is gone that nothing carries on.
    DropsSubtask,
    /// Two bindings have each other's cursors.
    SwapsCursors,
    /// A finished backfill starts again.
    RestartsBackfill,
    /// An unfinished backfill is finished.
    FinishesBackfill,
    /// An unfinished backfill goes on at another page.
    ChangesPage,
    /// An unfinished backfill has another cutoff.
    ChangesCutoff,
    /// A cursor is written with another granularity.
    RegrainsCursor,
    /// A cursor is of another type.
    RetypesCursor,
    /// A cutoff is written with another granularity.
    RegrainsCutoff,
    /// A cutoff is of another type.
    RetypesCutoff,
    /// The digest of a snapshot is another one.
    ForgetsDigest,
    /// The count of a snapshot is another one.
    ForgetsCount,
    /// A member beside the bindings is gone.
    ForgetsRootMember,
    /// A subtask is named `cursor`.
    NamesSubtaskCursor,
    /// The state is nested deeper than can be read.
    NestsTooDeep,
    /// A member changes that nothing was said of.
    EditsUndeclared,
    /// A step applies to what it made.
    NeverRests,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Mutation; 25] = [
        Mutation::ForgetsSibling,
        Mutation::KeepsResidue,
        Mutation::MovesForward,
        Mutation::MovesFarForward,
        Mutation::MovesTooFarBack,
        Mutation::DropsDisabled,
        Mutation::DropsOrphan,
        Mutation::DropsAllButOne,
        Mutation::DropsSubtask,
        Mutation::SwapsCursors,
        Mutation::RestartsBackfill,
        Mutation::FinishesBackfill,
        Mutation::ChangesPage,
        Mutation::ChangesCutoff,
        Mutation::RegrainsCursor,
        Mutation::RetypesCursor,
        Mutation::RegrainsCutoff,
        Mutation::RetypesCutoff,
        Mutation::ForgetsDigest,
        Mutation::ForgetsCount,
        Mutation::ForgetsRootMember,
        Mutation::NamesSubtaskCursor,
        Mutation::NestsTooDeep,
        Mutation::EditsUndeclared,
        Mutation::NeverRests,
    ];

    /// Reads on after "a migration that".
    pub fn sentence(self) -> &'static str {
        match self {
            Mutation::ForgetsSibling => "forgets a member beside the parts of a binding's state",
            Mutation::KeepsResidue => "keeps old members beside the new ones",
            Mutation::MovesForward => "moves a cursor forward by its smallest unit",
            Mutation::MovesFarForward => "moves a cursor far forward",
            Mutation::MovesTooFarBack => "moves a cursor further back than is declared",
            Mutation::DropsDisabled => "drops the state of a disabled binding",
            Mutation::DropsOrphan => "drops the state of a binding that is no more",
            Mutation::DropsAllButOne => "drops every binding but one",
            Mutation::DropsSubtask => "drops a subtask that nothing carries on",
            Mutation::SwapsCursors => "swaps the cursors of two bindings",
            Mutation::RestartsBackfill => "restarts a finished backfill",
            Mutation::FinishesBackfill => "finishes an unfinished backfill",
            Mutation::ChangesPage => "changes the page of an unfinished backfill",
            Mutation::ChangesCutoff => "changes the cutoff of an unfinished backfill",
            Mutation::RegrainsCursor => "changes the granularity of a cursor",
            Mutation::RetypesCursor => "changes the type of a cursor",
            Mutation::RegrainsCutoff => "changes the granularity of a cutoff",
            Mutation::RetypesCutoff => "changes the type of a cutoff",
            Mutation::ForgetsDigest => "loses the digest of a snapshot",
            Mutation::ForgetsCount => "loses the count of a snapshot",
            Mutation::ForgetsRootMember => "forgets a member beside the bindings",
            Mutation::NamesSubtaskCursor => "names a subtask `cursor`",
            Mutation::NestsTooDeep => "nests deeper than a state can be read",
            Mutation::EditsUndeclared => "edits what it did not declare",
            Mutation::NeverRests => "applies again to what it made",
        }
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// Every mistake that this migration has a place for.
pub(crate) fn all(subject: &Subject, case: &Case, sound: &Sound) -> Vec<Made> {
    make::Ground::new(subject, case, sound).all()
}

/// Sees that a plan refuses the mistake.
pub(crate) fn check(
    subject: &Subject,
    case: &Case,
    sound: &Sound,
    made: &Made,
) -> Result<(), Violation> {
    let terms = subject.terms(&[]);
    match plan(
        &case.state,
        &made.after,
        &case.bindings,
        &sound.applied,
        &terms,
    ) {
        Err(_) => Ok(()),
        Ok(plan) => Err(Violation::new(
            Law::Refuses(made.mutation),
            format!(
                "at {} the plan says only: {}\nmigrated: {}\nmistaken: {}",
                made.place,
                plan.groups
                    .iter()
                    .map(|group| format!(
                        "{:?} {} {}",
                        group.outcome,
                        group.change,
                        group.notes.join(", ")
                    ))
                    .collect::<Vec<_>>()
                    .join("; "),
                crate::failure::shown(&sound.after),
                crate::failure::shown(&made.after)
            ),
            "declare less, if the chain allows this on purpose; else it is a defect of the checks: report it with this state",
        )),
    }
}

/// Sees that a chain with a step that applies to what it made is refused. `None` where no step has anything to apply to.
pub(crate) fn check_rest(subject: &Subject, case: &Case) -> Option<Result<(), Violation>> {
    crate::shape::bindings(&case.state).next()?;
    let inner = std::sync::Arc::clone(&subject.chain);
    // The chain as one step, whose `applies` stays true and which leaves a trace each time.
    let restless = transform::custom_whole(
        "testkit-restless",
        |_, _| true,
        move |bindings, state| {
            let after = inner.run(&Node::Object(state), bindings)?.after;
            let mut root = after.into_object().unwrap_or_default();
            let runs = root
                .get("testkit_runs")
                .and_then(|node| node.as_leaf()?.as_u64());
            root.insert("testkit_runs", Node::integer(runs.unwrap_or(0) + 1));
            Ok(root)
        },
    );
    let chain = Chain::new().with_whole(restless);
    Some(
        match crate::case::run(&chain, &case.state, &case.bindings) {
            Err(violation) => Err(violation),
            Ok(Err(MigrationError::NotFixed { .. })) => Ok(()),
            Ok(other) => Err(Violation::new(
                Law::Refuses(Mutation::NeverRests),
                format!(
                    "the chain runs to its end: {}",
                    other.map_or_else(
                        |error| error.to_string(),
                        |migrated| migrated.after.to_json()
                    )
                ),
                "this is a defect of the engine; report it with this state",
            )),
        },
    )
}

/// A number of objects inside each other.
fn nested(depth: usize) -> Node {
    (0..depth).fold(Node::integer(1), |inner, _| {
        Node::Object(Object::from_iter([("deep", inner)]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use staunch_state::Budget;
    use staunch_state::transform::flat_to_keyed;

    #[test]
    fn a_mistake_that_a_plan_accepts_is_told() {
        let subject = Subject::new(Chain::new().with(flat_to_keyed("main")), Budget::default());
        let case = Case {
            origin: "a state".to_owned(),
            state: Node::parse(r#"{"bindingStateV1":{"a":{"inc":{"cursor":7}}}}"#).unwrap(),
            bindings: Vec::new(),
            consents: Vec::new(),
        };
        let sound = crate::laws::check(&subject, &case).unwrap();
        let made = Made {
            mutation: Mutation::MovesForward,
            place: "nowhere".to_owned(),
            after: sound.after.clone(),
        };
        let told = check(&subject, &case, &sound, &made).unwrap_err();
        assert_eq!(told.law, Law::Refuses(Mutation::MovesForward));
        let mistakes = all(&subject, &case, &sound);
        assert!(mistakes.len() > 5, "{mistakes:?}");
        for made in mistakes {
            assert!(check(&subject, &case, &sound, &made).is_ok(), "{made:?}");
        }
    }
}
