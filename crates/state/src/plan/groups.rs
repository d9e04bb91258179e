//! Puts together the bindings that change alike.

use std::collections::HashMap;
use std::sync::Arc;

use super::compare::Verdict;
use super::example::{self, Example};
use super::resume::ResumePoint;
use super::show;
use super::{BindingPlan, ConsentKind, Group, Outcome, WHOLE_STATE};
use crate::node::Node;

/// A binding whose change is known.
pub(super) struct Planned<'a, 'm> {
    pub(super) state_key: Arc<str>,
    pub(super) moved_from: Option<Arc<str>>,
    pub(super) before: Option<&'a Node>,
    pub(super) after: Option<&'a Node>,
    pub(super) is_orphan: bool,
    pub(super) migrations: &'m [&'m str],
    pub(super) verdict: Verdict,
}

/// The groups so far.
pub(super) struct Groups<'a> {
    groups: Vec<Group>,
    /// The states of the first binding of each group.
    first: Vec<(Option<&'a Node>, Option<&'a Node>)>,
    /// The groups that say the same beside their bindings and example.
    places: HashMap<Alike, usize>,
    /// Where the last binding went: the next one is most often alike.
    last: usize,
    /// How many bindings there are.
    bindings: usize,
}

/// A group of so many bindings is expected to have most of them: it gets room for all, at once.
const LARGE: usize = 1024;

#[derive(PartialEq, Eq, Hash)]
struct Alike {
    outcome: Outcome,
    change: String,
    notes: Vec<String>,
    migrations: Vec<String>,
    needs: Option<ConsentKind>,
}

impl<'a> Groups<'a> {
    /// For so many bindings.
    pub(super) fn of(bindings: usize) -> Self {
        Groups {
            bindings,
            groups: Vec::new(),
            first: Vec::new(),
            places: HashMap::new(),
            last: 0,
        }
    }

    pub(super) fn add(&mut self, planned: Planned<'a, '_>) {
        let place = if self.is_as_the_last(&planned) {
            self.last
        } else {
            self.place(&planned)
        };
        self.last = place;
        let bindings = &mut self.groups[place].bindings;
        if bindings.len() == LARGE {
            bindings.reserve_exact(self.bindings.saturating_sub(LARGE));
        }
        bindings.push(BindingPlan {
            before: ResumePoint::of(planned.before),
            after: ResumePoint::of(planned.after),
            state_key: planned.state_key,
            moved_from: planned.moved_from,
            is_orphan: planned.is_orphan,
        });
    }

    /// What changes beside the bindings, or instead of them.
    pub(super) fn add_root(
        &mut self,
        (outcome, needs): (Outcome, Option<ConsentKind>),
        notes: Vec<String>,
        migrations: Vec<String>,
    ) {
        self.first.push((None, None));
        self.groups.push(Group {
            outcome,
            change: String::new(),
            notes,
            migrations,
            needs,
            example: Example::default(),
            bindings: vec![BindingPlan {
                state_key: Arc::from(WHOLE_STATE),
                moved_from: None,
                before: ResumePoint::of(None),
                after: ResumePoint::of(None),
                is_orphan: false,
            }],
        });
    }

    fn is_as_the_last(&self, planned: &Planned<'_, '_>) -> bool {
        let (Some(group), Some((before, after))) =
            (self.groups.get(self.last), self.first.get(self.last))
        else {
            return false;
        };
        let verdict = &planned.verdict;
        (group.outcome, group.needs) == (verdict.outcome, verdict.needs)
            && group.notes == verdict.notes
            && group.migrations == planned.migrations
            && planned.moved_from.is_none()
            && (verdict.outcome == Outcome::Keep
                || show::same_shape(*before, planned.before)
                    && show::same_shape(*after, planned.after))
    }

    fn place(&mut self, planned: &Planned<'a, '_>) -> usize {
        let verdict = &planned.verdict;
        let change = match verdict.outcome {
            Outcome::Keep => String::new(),
            _ => show::change(planned.before, planned.after, planned.moved_from.is_some()),
        };
        let migrations = planned.migrations.iter().map(|name| (*name).to_owned());
        let alike = Alike {
            outcome: verdict.outcome,
            change: change.clone(),
            notes: verdict.notes.clone(),
            migrations: migrations.clone().collect(),
            needs: verdict.needs,
        };
        *self.places.entry(alike).or_insert_with(|| {
            self.first.push((planned.before, planned.after));
            self.groups.push(Group {
                outcome: verdict.outcome,
                change,
                notes: verdict.notes.clone(),
                migrations: migrations.collect(),
                needs: verdict.needs,
                example: match verdict.outcome {
                    Outcome::Keep => Example::default(),
                    _ => example::between(planned.before, planned.after),
                },
                bindings: Vec::new(),
            });
            self.groups.len() - 1
        })
    }

    /// What needs the most attention first.
    pub(super) fn finish(self) -> Vec<Group> {
        let mut groups = self.groups;
        for group in &mut groups {
            group.bindings.shrink_to_fit();
        }
        let order = [
            Outcome::Skip,
            Outcome::Unknown,
            Outcome::Backfill,
            Outcome::Rewind,
            Outcome::Retire,
            Outcome::Rewrite,
            Outcome::Keep,
        ];
        groups.sort_by_key(|group| order.iter().position(|outcome| *outcome == group.outcome));
        groups
    }
}
