//! What the configured endpoints are: for programs as an OpenAPI document, and for people as a page.
//!
//! Both say what a request must look like, and neither holds a secret: of a signature only its header is told, and of a header that
//! usually holds a secret no value, should a rule ask for one. The page loads nothing from anywhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Endpoint;
use super::meta::Hidden;
use super::pattern::{Pattern, Relation};

/// The endpoints that one path and method have, told apart by headers and bodies.
struct Operation<'a> {
    pattern: Pattern,
    method: &'a str,
    endpoints: Vec<&'a (String, Endpoint)>,
}

/// The OpenAPI document of these endpoints, by the names of their resources.
pub(crate) fn document(endpoints: &[(String, Endpoint)]) -> String {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let operations = operations(endpoints);
    for operation in &operations {
        let method = operation.method.to_ascii_lowercase();
        let path = paths.entry(operation.pattern.to_string()).or_default();
        path.insert(method, described(operation));
    }
    let schemes: Map<String, Value> = endpoints.iter().filter_map(scheme).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Webhooks",
            "version": "1",
            "description": "What is posted here is captured. A request is answered with 200 once its documents are durable; \
                whatever else it is answered with, send it again.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": schemes,
            "schemas": {
                "Documents": {
                    "description": "A document, or several of them, which may be for different endpoints.",
                    "oneOf": [{ "type": "object" }, { "type": "array", "items": { "type": "object" } }],
                },
                "Published": {
                    "type": "object",
                    "required": ["published"],
                    "properties": { "published": { "type": "integer", "description": "How many documents were captured." } },
                },
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": { "error": { "type": "string", "description": "What is wrong, and what to do." } },
                },
            },
        },
    })
    .to_string()
}

fn operations(endpoints: &[(String, Endpoint)]) -> Vec<Operation<'_>> {
    let mut operations: Vec<Operation<'_>> = Vec::new();
    for named in endpoints {
        let (_, endpoint) = named;
        let Some(pattern) = endpoint.rule.pattern() else {
            continue; // There is no capture with such a rule.
        };
        let method = endpoint.rule.method_name();
        let same = operations.iter_mut().find(|operation| {
            operation.method == method && operation.pattern.relation(&pattern) == Relation::Equal
        });
        match same {
            Some(operation) => operation.endpoints.push(named),
            None => operations.push(Operation {
                pattern,
                method,
                endpoints: vec![named],
            }),
        }
    }
    operations.sort_by_cached_key(|operation| (operation.pattern.to_string(), operation.method));
    operations
}

fn described(operation: &Operation<'_>) -> Value {
    let names = operation.endpoints.iter().map(|(name, _)| name.as_str());
    let summary = names.collect::<Vec<_>>().join(", ");
    let conditions = operation.endpoints.iter().map(|(name, endpoint)| {
        let conditions = conditions(endpoint);
        match conditions.is_empty() {
            true => format!("`{name}`: any other request."),
            false => format!("`{name}`: requests with {}.", conditions.join(" and ")),
        }
    });
    let mut parameters: Vec<Value> = operation
        .pattern
        .parameters()
        .map(|(name, _)| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    if operation.pattern.to_string() == Pattern::any().to_string() && parameters.is_empty() {
        parameters.push(json!({
            "name": "path", "in": "path", "required": true, "schema": { "type": "string" },
            "description": "Any path, with slashes in it.",
        }));
    }
    parameters.extend(header_parameters(operation));
    let security = operation
        .endpoints
        .iter()
        .map(|named| match scheme(named) {
            Some((name, _)) => json!({ name: [] }),
            None => json!({}),
        })
        .collect::<Vec<_>>();
    let error = |description: &str| {
        json!({
            "description": description,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
        })
    };
    json!({
        "summary": summary,
        "description": conditions.collect::<Vec<_>>().join("\n\n"),
        "parameters": parameters,
        "security": security,
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Documents" } } },
        },
        "responses": {
            "200": {
                "description": "All documents of the request are durable.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Published" } } },
            },
            "400": error("The body is no JSON object, nor an array of them."),
            "401": error("The request does not prove who sent it."),
            "404": error("No endpoint takes one of the documents; none is captured."),
            "413": error("The body is too large."),
            "415": error("The body has a content coding that is not known."),
            "503": error("Too much is waiting, or the capture stops; send the request again after the time in `Retry-After`."),
        },
    })
}

/// The headers that rules ask for: required if all of the operation's do.
fn header_parameters(operation: &Operation<'_>) -> Vec<Value> {
    let mut asked: BTreeMap<String, (usize, Vec<&str>)> = BTreeMap::new();
    for (_, endpoint) in &operation.endpoints {
        for (name, value) in endpoint.rule.headers() {
            let (times, values) = asked.entry(name.to_ascii_lowercase()).or_default();
            *times += 1;
            values.extend(value);
        }
    }
    let all = operation.endpoints.len();
    asked
        .into_iter()
        .map(|(name, (times, mut values))| {
            let mut schema = json!({ "type": "string" });
            if !values.is_empty() && !Hidden::default().has_header(&name) {
                values.sort_unstable();
                values.dedup();
                schema["examples"] = json!(values);
            }
            json!({ "name": name, "in": "header", "required": times == all, "schema": schema })
        })
        .collect()
}

/// What a request must have besides its path, in words.
fn conditions(endpoint: &Endpoint) -> Vec<String> {
    let headers = endpoint.rule.headers().map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        match value.filter(|_| !Hidden::default().has_header(&name)) {
            Some(value) => format!("header `{name}: {value}`"),
            None => format!("header `{name}`"),
        }
    });
    let members = endpoint.rule.members().map(|(pointer, value)| match value {
        Some(value) => format!("`{value}` at `{pointer}`"),
        None => format!("a member at `{pointer}`"),
    });
    headers.chain(members).collect()
}

/// The name of the security scheme of an endpoint that wants a proof, and what it is.
fn scheme((name, endpoint): &(String, Endpoint)) -> Option<(String, Value)> {
    let signature = endpoint.signature.as_ref()?;
    let scheme = json!({
        "type": "apiKey", "in": "header", "name": signature.header(), "description": signature.description(),
    });
    // A name may hold only these.
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || "._-".contains(c) => c,
        _ => '_',
    };
    Some((name.chars().map(plain).collect(), scheme))
}

/// The same as a page.
pub(crate) fn page(endpoints: &[(String, Endpoint)]) -> String {
    let mut rows = String::new();
    for operation in operations(endpoints) {
        for (name, endpoint) in &operation.endpoints {
            let conditions = conditions(endpoint);
            let proof = match &endpoint.signature {
                Some(signature) => format!("header `{}`", signature.header()),
                None => "nothing".to_owned(),
            };
            let cells = [
                format!("{} {}", operation.method, operation.pattern),
                conditions.join(" and "),
                proof,
                name.clone(),
            ];
            rows.push_str("<tr>");
            for cell in cells {
                write!(rows, "<td>{}</td>", Escaped(&cell)).expect("a text can be written");
            }
            rows.push_str("</tr>\n");
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Webhooks</title>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}\
         table{{border-collapse:collapse;width:100%}}td,th{{border-bottom:1px solid #ccc;padding:.4rem .8rem .4rem 0;\
         text-align:left;vertical-align:top}}code{{font-size:.9em}}</style>\n</head>\n<body>\n<h1>Webhooks</h1>\n\
         <p>Post a JSON object here, or an array of them. A request is answered with 200 and <code>{{\"published\": n}}</code> once \
         its documents are durable; whatever else it is answered with, send it again. Of several endpoints that take a request, it is \
         the most specific one that captures it.</p>\n\
         <table>\n<tr><th>Request</th><th>With</th><th>Proven by</th><th>Captured as</th></tr>\n{rows}</table>\n\
         <p>The same for programs: <a href=\"/openapi.json\">OpenAPI</a>.</p>\n</body>\n</html>\n"
    )
}

/// A text as it may stand in a page; what is between backticks is code.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut is_code = false;
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '`' => {
                    f.write_str(if is_code { "</code>" } else { "<code>" })?;
                    is_code = !is_code;
                }
                c => f.write_char(c)?,
            }
        }
        if is_code {
            f.write_str("</code>")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
