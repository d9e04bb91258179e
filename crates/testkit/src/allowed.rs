//! What the steps that changed a binding declare.

use staunch_state::{Applied, Declared, Effects};

/// What the steps declare together that changed a binding, under any of its keys.
pub(crate) fn of(declared: &Declared, applied: &[Applied], keys: &[&str]) -> Effects {
    let concerned = applied.iter().filter(|applied| {
        let mut theirs = applied.state_keys.iter();
        theirs.any(|key| keys.contains(&&**key))
    });
    declared.of(concerned.map(|applied| &*applied.migration))
}

/// Whether an edit at, above or beneath this pointer may have been declared.
pub(crate) fn edits(effects: &Effects, pointer: &str) -> bool {
    let mut edited = effects.edited().iter();
    edited.any(|edited| edited.starts_with(pointer) || pointer.starts_with(edited))
}
