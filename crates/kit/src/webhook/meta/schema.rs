//! The schema of what every posted document has.

use serde_json::{Value, json};

/// The schema of any document that is posted: an object with a `_meta`, of which nothing else is known.
///
/// What is posted to a resource has it unless the resource has a schema of its own; then it begins with this one.
///
/// ```
/// let schema = staunch::webhook::document_schema();
/// assert_eq!(schema["properties"]["_meta"]["properties"]["webhookId"]["type"], "string");
/// ```
#[must_use]
pub fn document_schema() -> Value {
    let texts = |title: &str, description: &str| {
        json!({
            "type": "object", "title": title, "description": description,
            "additionalProperties": { "type": "string" },
        })
    };
    json!({
        "type": "object",
        "required": ["_meta"],
        "properties": {
            "_meta": {
                "type": "object",
                "title": "Meta",
                "description": "How the document came.",
                "required": ["op", "webhookId", "receivedAt", "headers", "reqPath"],
                "properties": {
                    "op": {
                        "type": "string", "title": "Operation",
                        "description": "What happened: always u.", "enum": ["c", "u", "d"],
                    },
                    "webhookId": {
                        "type": "string", "title": "Webhook ID",
                        "description": "Which document it is: the sender's id of the request, or one that it was given.",
                    },
                    "receivedAt": {
                        "type": "string", "format": "date-time", "title": "Received At",
                        "description": "When the request came.",
                    },
                    "headers": texts("Headers", "The headers of the request, without secrets."),
                    "reqPath": {
                        "type": "string", "title": "Request Path",
                        "description": "The path of the request, as it was sent.",
                    },
                    "query": {
                        "type": "object", "title": "Query",
                        "description": "The parameters of the request's query, without secrets: a list for one that is repeated.",
                        "additionalProperties": { "type": ["string", "array"], "items": { "type": "string" } },
                    },
                    "pathParams": texts("Path Parameters", "The parameters of the request's path."),
                },
            },
        },
        "additionalProperties": true,
    })
}
