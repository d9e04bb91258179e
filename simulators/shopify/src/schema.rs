//! Which queries the API understands.

use apollo_compiler::ast::Document;
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Schema as Compiled};

use crate::bulk;
use crate::walker::Problem;

/// What the API has of what a capture reads.
const ADMIN: &str = include_str!("schema.graphql");

/// The types of an API, against which queries are held.
#[derive(Debug)]
pub struct Schema(Valid<Compiled>);

impl Schema {
    /// That of the GraphQL Admin API, version 2026-01.
    #[must_use]
    pub fn admin() -> Self {
        let compiled = Compiled::parse_and_validate(ADMIN, "schema.graphql");
        Self(compiled.expect("the schema is one"))
    }

    /// What is wrong with a query, or a mutation; nothing if it can be answered.
    #[must_use]
    pub fn problems(&self, query: &str) -> Vec<String> {
        self.understood(query).err().map_or_else(Vec::new, texts)
    }

    /// What is wrong with a query that a bulk job is to run.
    #[must_use]
    pub fn bulk_problems(&self, query: &str) -> Vec<String> {
        match self.understood(query) {
            Ok(document) => bulk::problems(&document, query),
            Err(problems) => texts(problems),
        }
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.0
    }

    pub(crate) fn understood(
        &self,
        query: &str,
    ) -> Result<Valid<ExecutableDocument>, DiagnosticList> {
        ExecutableDocument::parse_and_validate(&self.0, query, "query")
            .map_err(|wrong| wrong.errors)
    }

    /// The same, with errors as the API tells them.
    pub(crate) fn read(&self, query: &str) -> Result<Valid<ExecutableDocument>, Vec<Problem>> {
        if let Err(wrong) = Document::parse(query, "query") {
            // A syntax error has no code.
            let problems = texts(wrong.errors).into_iter().map(|message| Problem {
                code: None,
                ..Problem::new("", message)
            });
            return Err(problems.collect());
        }
        self.understood(query).map_err(|wrong| {
            let problems = wrong.iter().map(|wrong| {
                let code = match wrong.error.unstable_error_name() {
                    Some("UndefinedField") => "undefinedField",
                    Some("RequiredArgument") => "missingRequiredArguments",
                    Some("UndefinedArgument") => "argumentNotAccepted",
                    Some("UndefinedEnumValue" | "UnsupportedValueType") => {
                        "argumentLiteralsIncompatible"
                    }
                    Some("UndefinedVariable" | "DisallowedVariableUsage") => "INVALID_VARIABLE",
                    _ => "invalidQuery",
                };
                Problem::new(code, wrong.error.to_string())
            });
            // What follows from another problem is told after it.
            let mut problems: Vec<Problem> = problems.collect();
            problems.sort_by_key(|problem| problem.code == Some("invalidQuery"));
            problems
        })
    }
}

fn texts(problems: DiagnosticList) -> Vec<String> {
    problems.iter().map(|error| error.to_string()).collect()
}
