//! Endpoints as resources, and where the connector listens.

use serde_json::{Value, json};
use staunch::webhook::{self, Listener, Rule};
use staunch::{BoxError, Connector, Resource};

use crate::{Config, Endpoint, Id};

/// The variable that names another port, for runs without an image.
const PORT: &str = "SOURCE_WEBHOOK_PORT";

/// The port that the image exposes.
const DEFAULT_PORT: u16 = 8080;

/// Captures what is posted to it.
#[derive(Clone, Copy, Debug)]
pub struct SourceWebhook;

impl Connector for SourceWebhook {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/staunch/source-webhook";
    const HAS_SCHEDULES: bool = false; // What was posted cannot be read anew.

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        port()?;
        if config.endpoints.is_empty() {
            return Err("there is no endpoint; add one to `endpoints` of the config".into());
        }
        Ok(config.endpoints.iter().map(resource).collect())
    }

    fn listener(&self, config: &Config) -> Listener {
        Listener::default()
            .port(port().unwrap_or(DEFAULT_PORT)) // `resources` has refused one that is none.
            .max_body_bytes(config.advanced.max_body_bytes)
            .max_requests(config.advanced.max_requests)
    }
}

/// The port to listen on.
fn port() -> Result<u16, BoxError> {
    match std::env::var(PORT) {
        Err(_) => Ok(DEFAULT_PORT),
        Ok(text) => text.parse().map_err(|_| {
            format!(
                "the variable `{PORT}` holds no port; set it to a number up to 65535, or unset it"
            )
            .into()
        }),
    }
}

fn resource(endpoint: &Endpoint) -> Resource {
    let mut rule = match &endpoint.path {
        Some(path) => Rule::path(path),
        None => Rule::any_path(),
    };
    rule = rule.method(endpoint.method.as_str());
    for header in &endpoint.headers {
        rule = match &header.value {
            Some(value) => rule.header(&header.name, value),
            None => rule.header_present(&header.name),
        };
    }
    for member in &endpoint.members {
        rule = match &member.value {
            Some(value) => rule.body(&member.pointer, value.clone()),
            None => rule.body_present(&member.pointer),
        };
    }
    let mut posted = webhook::Endpoint::new(rule);
    if let Some(proof) = &endpoint.signature {
        posted = posted.signature(proof.signature());
    }
    posted = match &endpoint.id {
        Some(Id::Header(name)) => posted.id_header(name),
        Some(Id::Parameter(name)) => posted.id_parameter(name),
        None => posted,
    };
    for name in &endpoint.hide {
        posted = posted.hide(name);
    }
    let resource = Resource::new(&endpoint.name).webhook(posted);
    if endpoint.key.is_empty() {
        return resource;
    }
    resource
        .key(&endpoint.key)
        .schema(keyed(&endpoint.key))
        .schema_inference(true)
}

/// The pointers of a key that lead into what was posted: `_meta` is ours.
fn of_document(key: &[String]) -> impl Iterator<Item = &String> {
    key.iter()
        .filter(|pointer| *pointer != "/_meta" && !pointer.starts_with("/_meta/"))
}

/// The schema of posted documents that have this key.
fn keyed(key: &[String]) -> Value {
    let mut schema = webhook::document_schema();
    for pointer in of_document(key) {
        let mut inside = &mut schema;
        for token in pointer.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            require(inside, &name);
            inside = &mut inside["properties"][name];
            if inside.is_null() {
                *inside = json!({});
            }
        }
        inside["type"] = json!(["string", "integer", "boolean"]);
    }
    schema
}

/// The object has a member of this name.
fn require(schema: &mut Value, name: &str) {
    schema["type"] = "object".into();
    let required = &mut schema["required"];
    if required.is_null() {
        *required = json!([]);
    }
    if let Some(required) = required.as_array_mut()
        && !required.iter().any(|there| there == name)
    {
        required.push(name.into());
    }
}
