//! Checks documents against their collection's schema.
//!
//! Every document passes here, so there are two ways through. Schemas made of ordinary keywords are compiled into a plan
//! that one pass over the document's bytes can check, without building a tree. That pass only ever *accepts*: whatever it
//! would reject, or cannot decide, is parsed and judged by the full validator, whose verdict stands. So the plan may be
//! stricter than the schema (it costs time) and must never be laxer (it would let a bad document by).

mod bounds;
mod formats;
mod pass;
mod plan;
#[cfg(test)]
mod tests;

use serde_json::Value;

use plan::Plan;

/// Documents nested this deep, or deeper, are refused.
pub const DEPTH_LIMIT: usize = 128;
/// Characters of a message; a schema's list of a thousand words would make it unreadable.
const MESSAGE_LIMIT: usize = 400;

/// A schema, ready to check documents. Share it between threads as you like.
#[derive(Debug)]
pub struct Validator {
    plan: Option<Plan>,
    full: jsonschema::Validator,
}

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// It is not a valid JSON schema, or it refers to something that is not in it.
    #[error("the schema is not valid at `{pointer}`: {message}; correct the collection's schema")]
    Invalid {
        /// Where in the schema, a JSON pointer.
        pointer: String,
        /// What is wrong there.
        message: String,
    },
}

impl SchemaError {
    /// A name that stays the same between versions, for scripts and exit codes.
    pub fn code(&self) -> &'static str {
        match self {
            SchemaError::Invalid { .. } => "schema.invalid",
        }
    }
}

/// Why a document is refused. No variant repeats the document's values; a pointer does name its members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// It is not one JSON text in UTF-8, and nothing after it.
    #[error("the document is not valid JSON: {message}")]
    NotJson {
        /// What is wrong, and at which line and column.
        message: String,
    },
    /// It nests too deep to be looked at.
    #[error(
        "the document is nested {DEPTH_LIMIT} levels deep or deeper; flatten it, or emit the deep part as a string"
    )]
    TooDeep,
    /// It is JSON, and not an object.
    #[error("the document is {found}, not an object")]
    NotAnObject {
        /// What it is, with its article.
        found: &'static str,
    },
    /// It is an object that the schema does not allow.
    #[error("at `{pointer}`: {message} (`{keyword}`, schema `{schema_pointer}`)")]
    Schema {
        /// Where in the document, a JSON pointer; empty for the document itself.
        pointer: String,
        /// The schema keyword that refused it.
        keyword: String,
        /// Where that keyword stands in the schema, a JSON pointer.
        schema_pointer: String,
        /// What it asks for, without the document's value.
        message: String,
    },
}

impl Violation {
    /// A name that stays the same between versions, for scripts and exit codes.
    pub fn code(&self) -> &'static str {
        match self {
            Violation::NotJson { .. } => "document.not_json",
            Violation::TooDeep => "document.too_deep",
            Violation::NotAnObject { .. } => "document.not_an_object",
            Violation::Schema { .. } => "document.schema",
        }
    }
}

impl Validator {
    /// Compiles `schema`. Formats are checked; nothing is fetched from outside.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] when it is no schema.
    pub fn compile(schema: &Value) -> Result<Validator, SchemaError> {
        let full = jsonschema::options()
            .should_validate_formats(true)
            .offline()
            .build(schema)
            .map_err(|error| SchemaError::Invalid {
                pointer: error.instance_path().to_string(),
                message: shorten(error.to_string()),
            })?;
        // The plan leans on the full compilation having passed: every keyword has a value of a legal shape.
        Ok(Validator {
            plan: Plan::of(schema),
            full,
        })
    }

    /// Whether documents are checked in one pass over their bytes (about four times as fast).
    pub fn is_streaming(&self) -> bool {
        self.plan.is_some()
    }

    /// Checks that `document` is one JSON object that the schema allows.
    ///
    /// Of a member that occurs twice, the last one counts.
    ///
    /// # Errors
    /// The first [`Violation`] found.
    pub fn validate(&self, document: &[u8]) -> Result<(), Violation> {
        if self
            .plan
            .as_ref()
            .is_some_and(|plan| pass::accepts(plan, document))
        {
            return Ok(());
        }
        self.judge(document)
    }

    /// The full validator's verdict.
    fn judge(&self, document: &[u8]) -> Result<(), Violation> {
        let value: Value = serde_json::from_slice(document).map_err(|error| {
            let message = error.to_string();
            // There is no category of its own for this one.
            if message.starts_with("recursion limit exceeded") {
                return Violation::TooDeep;
            }
            Violation::NotJson { message }
        })?;
        if let Some(found) = other_than_object(&value) {
            return Err(Violation::NotAnObject { found });
        }
        self.full
            .validate(&value)
            .map_err(|error| violation(&error))
    }
}

fn violation(error: &jsonschema::ValidationError<'_>) -> Violation {
    use jsonschema::error::ValidationErrorKind as Kind;
    let message = match error.kind() {
        // These two print what they found even where the value is masked.
        Kind::PropertyNames { .. } => "a member's name is not allowed".to_owned(),
        Kind::FromUtf8 { .. } => "the decoded text is not utf-8".to_owned(),
        _ => error.masked_with("the value").to_string(),
    };
    Violation::Schema {
        pointer: error.instance_path().to_string(),
        keyword: error.kind().keyword().to_owned(),
        schema_pointer: error.schema_path().to_string(),
        message: shorten(message),
    }
}

fn other_than_object(value: &Value) -> Option<&'static str> {
    match value {
        Value::Object(_) => None,
        Value::Null => Some("null"),
        Value::Bool(_) => Some("a boolean"),
        Value::Number(_) => Some("a number"),
        Value::String(_) => Some("a string"),
        Value::Array(_) => Some("an array"),
    }
}

fn shorten(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_LIMIT) {
        message.truncate(end);
        message.push('…');
    }
    message
}
