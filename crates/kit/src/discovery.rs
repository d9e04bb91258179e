//! What discovery tells of a resource: its schema, and how its documents are combined.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::resource::Resource;
use crate::schedule::Schedule;

/// How documents of the same key become one, where the destination asks.
///
/// # Source
/// Capture protocol, combining (5.4) and the annotation `reduce`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Reduction {
    /// Lists are joined.
    Append,
    /// The first document stays.
    FirstWriteWins,
    /// The last document stays.
    LastWriteWins,
    /// Members of objects are combined one by one.
    Merge,
    /// The smallest stays.
    Minimize,
    /// The largest stays.
    Maximize,
    /// Members are added to a set, or removed from it.
    Set,
    /// Numbers are added up.
    Sum,
}

impl Reduction {
    /// The strategy's name in a schema.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Reduction::Append => "append",
            Reduction::FirstWriteWins => "firstWriteWins",
            Reduction::LastWriteWins => "lastWriteWins",
            Reduction::Merge => "merge",
            Reduction::Minimize => "minimize",
            Reduction::Maximize => "maximize",
            Reduction::Set => "set",
            Reduction::Sum => "sum",
        }
    }
}

/// How it is discovered.
impl Resource {
    /// The schema of its documents is that of `T`. See [`schema`](Self::schema).
    pub fn documents<T: JsonSchema>(self) -> Self {
        self.schema(crate::schema::of::<T>())
    }

    /// The schema of its documents is this one. It is taken to be complete: nothing is inferred, unless
    /// [`schema_inference`](Self::schema_inference) says so.
    ///
    /// Without a schema, documents are objects of which nothing else is known.
    ///
    /// ```
    /// # use staunch::{Reduction, Resource};
    /// # use serde_json::json;
    /// let id = json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "integer" } } });
    /// let users = Resource::new("users")
    ///     .key(["/id"])
    ///     .schema(id) // What is certain. The rest is inferred.
    ///     .schema_inference(true)
    ///     .reduction(Reduction::Merge);
    /// # let _ = users;
    /// ```
    pub fn schema(mut self, schema: Value) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Whether the runtime is to infer the rest of the schema from the documents: by default if it has no schema of its own. Then a
    /// document whose `_meta/op` is `d` also deletes what was captured of its key.
    pub fn schema_inference(mut self, is_inferred: bool) -> Self {
        self.schema_inference = Some(is_inferred);
        self
    }

    /// How its documents of the same key are combined. By default the last one wins.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = Some(reduction);
        self
    }

    /// When it is read anew, as a cron expression, unless its configuration says otherwise. By default never; an empty one is never, too,
    /// and stands in what discovery proposes, where people see that there could be one.
    pub fn schedule(mut self, schedule: impl Into<String>) -> Self {
        self.schedule = Some(schedule.into());
        self
    }

    /// It is discovered disabled.
    pub fn disabled(mut self) -> Self {
        self.is_disabled = true;
        self
    }

    /// The key that discovery tells of its collection.
    pub(crate) fn discovered_key(&self) -> Vec<String> {
        match self.has_fallback_key() {
            true => vec![POSTED_ID.to_owned()],
            false => self.key.clone(),
        }
    }

    /// Whether its key is but the id that a posted document is given: whoever knows a better one is to use that.
    pub(crate) fn has_fallback_key(&self) -> bool {
        self.key.is_empty() && self.is_posted()
    }

    /// The schema that discovery tells of its documents. It is a copy: what is added here is not added to the schema that was given.
    pub(crate) fn discovered_schema(&self) -> Value {
        let is_inferred = self.schema_inference.unwrap_or(self.schema.is_none());
        let base = || match self.is_posted() {
            #[cfg(feature = "webhook")]
            true => crate::webhook::document_schema(),
            _ => base_schema(),
        };
        let schema = self.schema.clone().unwrap_or_else(base);
        let reduction = self
            .reduction
            .map(|reduction| json!({ "strategy": reduction.as_str() }));
        let mut schema = match schema {
            Value::Object(schema) => schema,
            other if !is_inferred && reduction.is_none() => return other,
            _ => Map::new(), // `true`: any document, to which more can be said.
        };
        if !is_inferred {
            schema.extend(reduction.map(|reduction| ("reduce".to_owned(), reduction)));
            return Value::Object(schema);
        }
        schema.insert("x-infer-schema".into(), true.into());
        let mut conditional = Map::new();
        let deletion = json!({
            "properties": { "_meta": { "properties": { "op": { "const": "d" } }, "required": ["op"] } },
            "required": ["_meta"],
        });
        conditional.insert("if".into(), deletion);
        let delete = json!({ "reduce": { "delete": true, "strategy": "merge" } });
        conditional.insert("then".into(), delete);
        if let Some(reduction) = reduction {
            conditional.insert("else".into(), json!({ "reduce": reduction }));
        }
        let has_its_own = ["if", "then", "else"].map(|keyword| schema.contains_key(keyword));
        match (has_its_own.contains(&true), schema.get_mut("allOf")) {
            (false, _) => schema.extend(conditional),
            (true, Some(Value::Array(all))) => all.push(Value::Object(conditional)),
            (true, _) => {
                schema.insert("allOf".into(), json!([conditional]));
            }
        }
        Value::Object(schema)
    }
}

/// What is wrong with a connector's resources, each on a line of its own. None of it is its user's fault.
pub(crate) fn problems(resources: &[Resource]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for resource in resources {
        let name = &resource.name;
        if name.is_empty() {
            problems.push(
                "the connector has a resource without a name; it must give each a name of its own"
                    .to_owned(),
            );
        } else if !names.insert(name) {
            problems.push(format!(
                "the connector has two resources named `{name}`; it must give each a name of its own"
            ));
        }
        if let Err(problem) = Schedule::of(resource.schedule.as_deref().unwrap_or_default()) {
            problems.push(format!(
                "the connector gives resource `{name}` a schedule that {problem}"
            ));
        }
        if resource.snapshot.is_some() && !is_keyed_on_row(&resource.key) {
            problems.push(format!(
                "snapshot resource `{name}` must be keyed on /_meta/row_id; the connector must give it such a key"
            ));
        }
    }
    #[cfg(feature = "webhook")]
    problems.extend(crate::webhook::conflicts(resources));
    problems
}

/// Where a posted document has the id that it is given.
const POSTED_ID: &str = "/_meta/webhookId";

/// Where the number of a snapshot's row is.
pub(crate) const ROW: &str = "/_meta/row_id";

/// Whether a snapshot's rows can be told apart by this key. It may have more pointers.
pub(crate) fn is_keyed_on_row(key: &[String]) -> bool {
    key.iter().any(|pointer| pointer == ROW)
}

/// Any object, whose `_meta` says what happened to it.
fn base_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "_meta": {
                "type": "object",
                "title": "Meta",
                "description": "What the capture knows of the document besides the source's own members.",
                "properties": {
                    "op": {
                        "type": "string",
                        "title": "Operation",
                        "description": "What happened: c for created, u for updated, d for deleted.",
                        "enum": ["c", "u", "d"],
                    },
                    "row_id": {
                        "type": "integer",
                        "title": "Row",
                        "description": "The number of the row in its snapshot, counted from zero.",
                    },
                },
            },
        },
        "additionalProperties": true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed() -> Value {
        json!({ "type": "object", "properties": { "id": { "type": "integer" } } })
    }

    fn with(schema: &Value, members: Value) -> Value {
        let (mut schema, Value::Object(members)) = (schema.clone(), members) else {
            panic!("members are an object");
        };
        schema
            .as_object_mut()
            .expect("a schema is an object")
            .extend(members);
        schema
    }

    fn conditional() -> Value {
        json!({
            "if": {
                "properties": { "_meta": { "properties": { "op": { "const": "d" } }, "required": ["op"] } },
                "required": ["_meta"],
            },
            "then": { "reduce": { "delete": true, "strategy": "merge" } },
        })
    }

    #[test]
    fn what_is_added_to_a_schema_depends_on_inference_and_reduction() {
        let infer = with(&conditional(), json!({ "x-infer-schema": true }));
        let merge = json!({ "reduce": { "strategy": "merge" } });
        let of = |resource: Resource| resource.discovered_schema();
        let users = || Resource::new("users").key(["/id"]);

        assert_eq!(of(users()), with(&base_schema(), infer.clone()));
        assert_eq!(of(users().schema_inference(false)), base_schema());
        assert_eq!(of(users().schema(fixed())), fixed());
        assert_eq!(
            of(users().schema_inference(true).schema(fixed())),
            with(&fixed(), infer.clone()),
            "in whichever order"
        );
        assert_eq!(
            of(users().schema(fixed()).reduction(Reduction::Merge)),
            with(&fixed(), merge.clone())
        );
        assert_eq!(
            of(users().reduction(Reduction::Merge)),
            with(
                &with(&base_schema(), infer.clone()),
                json!({ "else": merge })
            )
        );
        assert_eq!(
            of(users().schema(json!(true)).schema_inference(true)),
            infer
        );
    }

    #[test]
    fn a_condition_of_the_schema_itself_is_kept_beside_that_of_deletions() {
        let own = with(
            &fixed(),
            json!({ "if": { "required": ["a"] }, "then": { "required": ["b"] } }),
        );
        let resource = Resource::new("users")
            .schema(own.clone())
            .schema_inference(true);
        let added = json!({ "x-infer-schema": true, "allOf": [conditional()] });
        assert_eq!(resource.discovered_schema(), with(&own, added));
    }

    #[test]
    fn what_is_wrong_with_resources_is_said_of_all_at_once() {
        let rows = |name: &str| Resource::new(name).snapshot(|_| async { Ok(()) });
        let resources = [
            rows("labels").key(["/id"]),
            rows("stores").key(["/store", "/_meta/row_id"]),
            Resource::new("labels").schedule("soon"),
            Resource::new("").schedule("0 4 * * 1"),
        ];
        let problems = problems(&resources);
        assert_eq!(problems.len(), 4, "{problems:?}");
        for (problem, expected) in problems.iter().zip([
            "snapshot resource `labels` must be keyed on /_meta/row_id",
            "two resources named `labels`",
            "`labels` a schedule that has 1 fields",
            "without a name",
        ]) {
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
