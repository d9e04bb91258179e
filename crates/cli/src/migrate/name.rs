//! The name of a migration, and the Rust names that are made of it.

/// Characters of a name; lines with it in them stay within what `rustfmt` leaves alone.
const LONGEST: usize = 40;

/// What cannot name a module: Rust's words, and crates that it would hide.
const TAKEN_MODULES: [&str; 56] = [
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "const", "continue",
    "core", "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen",
    "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv",
    "pub", "ref", "return", "self", "static", "staunch", "std", "struct", "super", "trait", "true",
    "try", "type", "typeof", "union", "unsafe", "unsized", "use", "virtual", "where", "while",
    "yield",
];

/// Types that the module of a step sees under these names.
const TAKEN_TYPES: [&str; 19] = [
    "Binding",
    "Box",
    "Chain",
    "Effects",
    "Err",
    "Migration",
    "MigrationError",
    "Node",
    "None",
    "Object",
    "Ok",
    "Option",
    "Result",
    "Send",
    "Some",
    "String",
    "Sync",
    "ToString",
    "Vec",
];

/// A name that can be recorded, and that Rust can spell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// As it is recorded: `split-cursor`.
    pub(super) recorded: String,
    /// Of its module: `split_cursor`.
    pub(super) module: String,
    /// Of its type: `SplitCursor`.
    pub(super) step: String,
}

impl Name {
    /// Reads what was typed.
    ///
    /// # Errors
    /// What is wrong with it, and what to type instead.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let wrong = if text.is_empty() {
            "it is empty"
        } else if !text.chars().all(is_legal) {
            "it may have small letters, digits and `-`"
        } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            "it must begin with a letter, because a module is named for it"
        } else if text.ends_with('-') || text.contains("--") {
            "each `-` must stand between two words"
        } else if text.len() > LONGEST {
            "it has more than 40 characters"
        } else if TAKEN_MODULES.contains(&text) {
            "a module cannot be named so"
        } else {
            let step: String = text.split('-').map(capitalised).collect();
            let suffix = if TAKEN_TYPES.contains(&step.as_str()) {
                "Step"
            } else {
                ""
            };
            return Ok(Self {
                recorded: text.to_owned(),
                module: text.replace('-', "_"),
                step: step + suffix,
            });
        };
        Err(format!(
            "`{text}` cannot name a migration: {wrong}; say what changes, as in `split-cursor`"
        ))
    }
}

impl Name {
    /// Whether a line of Rust names a step so, or uses the ready-made one of that name.
    pub(super) fn is_in(&self, line: &str) -> bool {
        line.contains(&format!("\"{}\"", self.recorded))
            || line.contains(&format!("transform::{}(", self.module))
    }
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter();
    first.chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_spelled_in_three_ways() {
        for (text, module, step) in [
            ("split-cursor", "split_cursor", "SplitCursor"),
            ("v2", "v2", "V2"),
            ("a-1-b", "a_1_b", "A1B"),
            ("binding", "binding", "BindingStep"),
            ("migration-error", "migration_error", "MigrationErrorStep"),
        ] {
            let name = Name::parse(text).unwrap();
            assert_eq!(
                (
                    name.recorded.as_str(),
                    name.module.as_str(),
                    name.step.as_str()
                ),
                (text, module, step)
            );
        }
    }

    #[test]
    fn a_name_is_in_use_where_a_step_or_a_ready_made_one_has_it() {
        let name = Name::parse("flat-to-keyed").unwrap();
        for (line, is_in) in [
            (r#"    "flat-to-keyed""#, true),
            (r#"Chain::new().with(transform::flat_to_keyed("a"))"#, true),
            (r#"transform::flat_to_keyed_too("a")"#, false),
            (r#".named("flat-to-keyed-2")"#, false),
            ("// flat-to-keyed", false),
        ] {
            assert_eq!(name.is_in(line), is_in, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_spelled_is_refused_with_the_reason() {
        let long = "a".repeat(41);
        for (text, reason) in [
            ("", "it is empty"),
            ("Split", "small letters"),
            ("split_cursor", "small letters"),
            ("../escape", "small letters"),
            ("größe", "small letters"),
            ("a b", "small letters"),
            ("2-fast", "begin with a letter"),
            ("-a", "begin with a letter"),
            ("a-", "between two words"),
            ("a--b", "between two words"),
            (&long, "more than 40"),
            ("mod", "a module cannot"),
            ("std", "a module cannot"),
            ("self", "a module cannot"),
        ] {
            let refused = Name::parse(text).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
        assert!(Name::parse(&"a".repeat(40)).is_ok());
    }
}
