//! The laws of one migration: forth, forth again, and as a plan.

use staunch_state::{
    Applied, BINDING_STATES, ConnectorState, Migrated, MigrationError, Node, Plan, Refused, plan,
};

use crate::allowed;
use crate::case::{Case, Subject};
use crate::law::{Law, Violation};
use crate::reading::{self, Reading};
use crate::shape;

/// A migration of which all laws hold.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    pub(crate) after: Node,
    pub(crate) applied: Vec<Applied>,
    pub(crate) plan: Plan,
}

/// Holds the migration of a state against the laws.
pub(crate) fn check(subject: &Subject, case: &Case) -> Result<Sound, Violation> {
    let migrated = subject.run(&case.state, &case.bindings)?.map_err(refused)?;
    check_pure(subject, case, &migrated)?;
    check_fixed(subject, case, &migrated)?;
    check_decodes(&migrated)?;
    let terms = subject.terms(&case.consents);
    let plan = plan(
        &case.state,
        &migrated.after,
        &case.bindings,
        &migrated.applied,
        &terms,
    )
    .map_err(|refused| not_accepted(&refused, &migrated.after))?;
    let sound = Sound {
        after: migrated.after,
        applied: migrated.applied,
        plan,
    };
    sound.check_exact(case)?;
    sound.check_one_update(subject)?;
    sound.check_scope()?;
    sound.check_positions(subject, case)?;
    Ok(sound)
}

fn refused(error: MigrationError) -> Violation {
    let code = error.code();
    let violation = match error {
        MigrationError::NotFixed { .. } => Violation::new(
            Law::FixedPoint,
            error.to_string(),
            "have `applies` ask for the old shape, and for nothing that the new one has too",
        ),
        error => Violation::new(
            Law::Migrates,
            format!("refused: {error}"),
            "carry this state over too; a capture that has it could never be opened again",
        ),
    };
    violation.with_code(code)
}

fn not_accepted(refused: &Refused, after: &Node) -> Violation {
    let remedy = match refused {
        Refused::ConsentMissing { .. } => {
            "migrate without this effect, declare it, or give the harness the consents that its users will be asked for"
        }
        Refused::NotDecodable { .. } => {
            "give every binding the shape of today's model, disabled ones and orphans too"
        }
        _ => "keep what was there, or declare the effect if it is meant",
    };
    let mut came_out = String::new();
    let mut error: Option<&dyn std::error::Error> = Some(refused);
    while let Some(cause) = error {
        let separator = if came_out.is_empty() { "" } else { ": " };
        came_out.push_str(&format!("{separator}{cause}"));
        error = cause.source();
    }
    came_out.push_str(&format!("\nafter: {}", crate::failure::shown(after)));
    Violation::new(Law::Accepted, came_out, remedy).with_code(refused.code())
}

fn check_pure(subject: &Subject, case: &Case, migrated: &Migrated) -> Result<(), Violation> {
    if migrated.applied.is_empty() {
        return Ok(()); // Nothing was done; whether it would be the next time is for the fixed point to tell.
    }
    match subject.run(&case.state, &case.bindings)? {
        Ok(again) if again == *migrated => Ok(()),
        again => Err(Violation::new(
            Law::Pure,
            format!(
                "the first time: {}\nthe second time: {}",
                crate::failure::shown(&migrated.after),
                again.map_or_else(
                    |error| error.to_string(),
                    |again| crate::failure::shown(&again.after)
                )
            ),
            "let a step look at nothing but the state and the binding: a crash is answered by running it again",
        )),
    }
}

fn check_fixed(subject: &Subject, case: &Case, migrated: &Migrated) -> Result<(), Violation> {
    let wrong = |came_out: String| {
        Violation::new(
            Law::FixedPoint,
            came_out,
            "have `applies` be false of what `migrate` returns",
        )
    };
    match subject.run(&migrated.after, &case.bindings)? {
        Err(error) => Err(wrong(format!("migrated once more: {error}"))),
        Ok(again) if again.after != migrated.after => Err(wrong(format!(
            "migrated once: {}\nmigrated twice: {}",
            crate::failure::shown(&migrated.after),
            crate::failure::shown(&again.after)
        ))),
        Ok(_) => Ok(()),
    }
}

fn check_decodes(migrated: &Migrated) -> Result<(), Violation> {
    let decoded = ConnectorState::new(migrated.after.clone()).and_then(|state| state.decode());
    decoded.map(drop).map_err(|error| {
        let what = if migrated.applied.is_empty() {
            "it has neither an old shape that a step carries over nor the new one"
        } else {
            "what came out cannot be read"
        };
        Violation::new(
            Law::Decodes,
            format!(
                "{what}: {error}\nafter: {}",
                crate::failure::shown(&migrated.after)
            ),
            "give every binding the shape of today's model, disabled ones and orphans too",
        )
    })
}

impl Sound {
    fn check_exact(&self, case: &Case) -> Result<(), Violation> {
        let made = self.plan.apply(case.state.clone());
        if made.same_state(&self.after) {
            return Ok(());
        }
        Err(Violation::new(
            Law::Exact,
            format!(
                "the update makes: {}\nthe chain makes: {}",
                made.to_json(),
                self.after.to_json()
            ),
            "this is a defect of the engine; report it with this state",
        ))
    }

    fn check_one_update(&self, subject: &Subject) -> Result<(), Violation> {
        let wire = &self.plan.update;
        let declares_replacement = self.applied.iter().any(|applied| {
            allowed::of(
                &subject.declared,
                std::slice::from_ref(applied),
                &keys(applied),
            )
            .replaces()
        });
        let is_as_declared = wire
            .iter()
            .all(|update| update.merge_patch != declares_replacement);
        if is_as_declared {
            return Ok(());
        }
        Err(Violation::new(
            Law::OneUpdate,
            match declares_replacement {
                true => "a merge patch, where a step declares a replacement",
                false => "a replacement, which no step declares",
            },
            "this is a defect of the engine; report it with this state",
        ))
    }

    /// The bindings that a step applied to, and the empty key for members beside them.
    fn check_scope(&self) -> Result<(), Violation> {
        let Some(update) = self
            .plan
            .update
            .as_ref()
            .filter(|update| update.merge_patch)
        else {
            return Ok(()); // A replacement, by name.
        };
        let patch = Node::parse(&update.updated)
            .ok()
            .and_then(Node::into_object);
        let patch = patch.unwrap_or_default();
        let is_touched = |key: &str| {
            let mut all = self.applied.iter().flat_map(|applied| &applied.state_keys);
            all.any(|theirs| **theirs == *key)
        };
        let in_states = patch.get(BINDING_STATES).and_then(Node::as_object);
        let bindings = in_states.into_iter().flat_map(|states| states.keys());
        let stray = bindings
            .filter(|key| !is_touched(key))
            .map(|key| format!("binding `{key}`"));
        let beside = patch
            .keys()
            .filter(|key| *key != BINDING_STATES && !is_touched(""))
            .map(|key| format!("member `{key}`"));
        match stray.chain(beside).next() {
            None => Ok(()),
            Some(stray) => Err(Violation::new(
                Law::Scope,
                format!("the update touches {stray}, to which no step applied"),
                "this is a defect of the engine; report it with this state",
            )),
        }
    }

    fn check_positions(&self, subject: &Subject, case: &Case) -> Result<(), Violation> {
        for (after, before) in self.pairs() {
            let allowed = allowed::of(&subject.declared, &self.applied, &[after, before]);
            let (old, new) = (
                shape::binding(&case.state, before),
                shape::binding(&self.after, after),
            );
            if new.is_none() && (allowed.retires() || allowed.resets()) {
                continue;
            }
            let (old, new) = (Reading::of(old), Reading::of(new));
            let wrong = reading::missed(&old, &new, &allowed).or_else(|| {
                let may_reread = case
                    .consents
                    .iter()
                    .any(|consent| consent.state_key == after);
                reading::reread(&old, &new, &allowed).filter(|_| !may_reread)
            });
            if let Some(wrong) = wrong {
                return Err(Violation::new(
                    Law::Positions,
                    format!("of binding `{after}`: {wrong}"),
                    "begin each new cursor where an old one stands, less a lag that is declared",
                ));
            }
        }
        Ok(())
    }

    /// Every binding that there was or is: its state key after, and the one before.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let bindings = self.plan.bindings().map(|(_, binding)| binding);
        bindings.map(|binding| {
            let before = binding.moved_from.as_ref().unwrap_or(&binding.state_key);
            (&*binding.state_key, &**before)
        })
    }
}

fn keys(applied: &Applied) -> Vec<&str> {
    applied.state_keys.iter().map(|key| &**key).collect()
}
