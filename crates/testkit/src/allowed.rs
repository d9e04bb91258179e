//! What the steps that changed a binding declare.
//!
//! Effects say what they are to people, as text, and can be extended; that is all one can ask of them. An effect that changes nothing
//! when it is declared once more was declared already; of those that carry a name, the text tells.

use std::time::Duration;

use staunch_state::{Applied, Declared, Effects};

/// The declarations that hold for one binding.
#[derive(Clone, Debug)]
pub(crate) struct Allowed {
    effects: Effects,
    text: String,
}

impl Allowed {
    /// Of the steps that changed a binding, under any of its keys.
    pub(crate) fn of(declared: &Declared, applied: &[Applied], keys: &[&str]) -> Self {
        let concerned = applied.iter().filter(|applied| {
            applied
                .state_keys
                .iter()
                .any(|theirs| keys.contains(&&**theirs))
        });
        let effects = concerned.fold(Effects::NONE, |effects, applied| {
            effects.and(&declared.by(&applied.migration))
        });
        Allowed {
            text: effects.to_string(),
            effects,
        }
    }

    /// Whether data is read from the start, as declared.
    pub(crate) fn starts_over(&self) -> bool {
        self.effects == self.effects.clone().backfill() || self.resets()
    }

    pub(crate) fn resets(&self) -> bool {
        self.effects == self.effects.clone().reset()
    }

    pub(crate) fn retires(&self) -> bool {
        self.effects == self.effects.clone().retire()
    }

    pub(crate) fn changes_cursor_kind(&self) -> bool {
        self.effects == self.effects.clone().changes_cursor_kind()
    }

    pub(crate) fn converts(&self) -> bool {
        self.text.contains("convert cursors (")
    }

    pub(crate) fn replaces_state(&self) -> bool {
        self.effects == self.effects.clone().replaces_state()
    }

    /// How far back date-times may go.
    pub(crate) fn rewind(&self) -> Duration {
        let allows = |nanoseconds: u64| {
            self.effects
                == self
                    .effects
                    .clone()
                    .rewind(Duration::from_nanos(nanoseconds))
        };
        Duration::from_nanos(greatest(allows))
    }

    /// How far back integers may go.
    pub(crate) fn rewind_by(&self) -> u64 {
        greatest(|count| self.effects == self.effects.clone().rewind_by(count))
    }

    /// Whether cursors may move forward at all.
    pub(crate) fn forwards(&self) -> bool {
        self.effects == self.effects.clone().forward(Duration::ZERO)
            || self.effects == self.effects.clone().forward_by(0)
    }

    /// Whether nothing need carry on this subtask.
    pub(crate) fn drops(&self, subtask: Option<&str>) -> bool {
        let Some(name) = subtask else { return false };
        let kept = self
            .text
            .split_once("drop all subtasks but ")
            .map(|(_, names)| names);
        self.text.contains(&format!("drop subtask {name}"))
            || kept.is_some_and(|names| !names.split(", ").any(|kept| kept == name))
    }

    /// Whether this subtask may begin without carrying anything on.
    pub(crate) fn begins(&self, subtask: Option<&str>) -> bool {
        subtask.is_some_and(|name| self.text.contains(&format!("begin subtask {name} at ")))
    }

    /// Whether an edit at, above or beneath this pointer may have been declared.
    pub(crate) fn edits(&self, pointer: &str) -> bool {
        self.text
            .split(", ")
            .filter_map(|said| said.strip_prefix("edit "))
            .any(|edited| edited.starts_with(pointer) || pointer.starts_with(edited))
    }
}

/// The greatest number that is allowed, where what is below an allowed one is allowed too; 0 if none is.
fn greatest(allows: impl Fn(u64) -> bool) -> u64 {
    if !allows(0) {
        return 0;
    }
    let (mut allowed, mut beyond) = (0, u64::MAX);
    while beyond - allowed > 1 {
        let middle = allowed + (beyond - allowed) / 2;
        if allows(middle) {
            allowed = middle;
        } else {
            beyond = middle;
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use staunch_state::Cursor;

    fn allowed(effects: Effects) -> Allowed {
        let applied = [Applied {
            migration: "step".to_owned(),
            state_keys: vec!["a".into()],
        }];
        let declared = Declared::from_iter([("step".to_owned(), effects)]);
        Allowed::of(&declared, &applied, &["a"])
    }

    #[test]
    fn what_was_declared_can_be_found_out() {
        let hour = Duration::from_secs(3600);
        let all = Effects::NONE
            .rewind(hour)
            .rewind_by(17)
            .drops_subtask("gone")
            .edits("/legacy")
            .begins("new", Cursor::integer(0));
        let allowed = allowed(all);
        assert_eq!(allowed.rewind(), hour);
        assert_eq!(allowed.rewind_by(), 17);
        assert!(allowed.drops(Some("gone")) && !allowed.drops(Some("kept")));
        assert!(allowed.begins(Some("new")) && !allowed.begins(Some("old")));
        assert!(allowed.edits("/legacy") && allowed.edits("/legacy/a") && !allowed.edits("/other"));
        assert!(!allowed.starts_over() && !allowed.retires() && !allowed.changes_cursor_kind());
    }

    #[test]
    fn nothing_is_declared_by_no_step() {
        let nothing = allowed(Effects::NONE);
        assert_eq!((nothing.rewind(), nothing.rewind_by()), (Duration::ZERO, 0));
        assert!(!nothing.forwards() && !nothing.drops(Some("a")) && !nothing.edits("/a"));
        let reset = allowed(Effects::NONE.reset());
        assert!(reset.resets() && reset.starts_over() && !reset.retires());
        let kept = allowed(Effects::NONE.drops_all_but(["a", "b"]));
        assert!(!kept.drops(Some("b")) && kept.drops(Some("c")) && !kept.drops(None));
    }
}
