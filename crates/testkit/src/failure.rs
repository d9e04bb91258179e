//! What a run of the harness ends with when a law is broken.

use std::fmt;

use staunch_state::{Binding, Node};

use crate::law::{Law, Violation};

/// Characters of a state that a failure shows.
const STATE_CHARACTERS: usize = 4_000;

/// A law that the chain breaks, with the smallest state found that shows it.
///
/// Its text is for the author of the chain: which law, which state, what came out, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(Box<Told>);

#[derive(Debug)]
struct Told {
    law: Law,
    origin: String,
    state: Option<Node>,
    bindings: Vec<Binding>,
    came_out: String,
    remedy: String,
}

impl Failure {
    pub(crate) fn of(
        violation: Violation,
        origin: impl Into<String>,
        case: Option<(&Node, &[Binding])>,
    ) -> Self {
        Failure(Box::new(Told {
            law: violation.law,
            origin: origin.into(),
            state: case.map(|(state, _)| state.clone()),
            bindings: case
                .map(|(_, bindings)| bindings.to_vec())
                .unwrap_or_default(),
            came_out: violation.came_out,
            remedy: violation.remedy,
        }))
    }

    /// The law that is broken.
    pub fn law(&self) -> Law {
        self.0.law
    }

    /// The file, or the generated state, that it was found with.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The smallest state that was found to show it. None where it is about no state in particular.
    pub fn state(&self) -> Option<&Node> {
        self.0.state.as_ref()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "broken: {}", self.law.sentence())?;
        let mut line = |label: &str, text: &str| -> fmt::Result {
            let mut lines = text.lines();
            writeln!(f, "  {label:<10}{}", lines.next().unwrap_or_default())?;
            lines.try_for_each(|more| writeln!(f, "  {:<10}{more}", ""))
        };
        line("found in", &self.origin)?;
        if let Some(state) = &self.state {
            line("state", &shown(state))?;
        }
        if !self.bindings.is_empty() {
            let shown: Vec<String> = self.bindings.iter().take(8).map(binding).collect();
            let more = self.bindings.len().saturating_sub(shown.len());
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            line("bindings", &format!("{}{more}", shown.join(", ")))?;
        }
        line("came out", &self.came_out)?;
        line("do", &self.remedy)
    }
}

fn binding(binding: &Binding) -> String {
    let state = match (&binding.resource, binding.is_active) {
        (None, _) => " (no resource)",
        (Some(_), false) => " (disabled)",
        (Some(_), true) => "",
    };
    format!("`{}`{state}", binding.state_key)
}

/// A state as text; the beginning of a long one.
pub(crate) fn shown(state: &Node) -> String {
    let text = state.to_json();
    match text.char_indices().nth(STATE_CHARACTERS) {
        None => text,
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
    }
}
