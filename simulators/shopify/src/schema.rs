//! Which queries the API understands.

use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema as Compiled};

use crate::bulk;

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
        self.understood(query).err().unwrap_or_default()
    }

    /// What is wrong with a query that a bulk job is to run.
    #[must_use]
    pub fn bulk_problems(&self, query: &str) -> Vec<String> {
        match self.understood(query) {
            Ok(document) => bulk::problems(&document, query),
            Err(problems) => problems,
        }
    }

    fn understood(&self, query: &str) -> Result<Valid<ExecutableDocument>, Vec<String>> {
        ExecutableDocument::parse_and_validate(&self.0, query, "query")
            .map_err(|wrong| wrong.errors.iter().map(|error| error.to_string()).collect())
    }
}
