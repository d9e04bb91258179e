//! Answers to what is asked once: what the connector is, what there is to capture, and whether a capture would work.

use std::collections::BTreeSet;

use serde_json::Value;
use staunch_protocol::{PROTOCOL_VERSION, RawValue, Response, request, response};

use crate::capture::BoxError;
use crate::connector::Connector;
use crate::resource::Resource;
use crate::resource_config::ResourceConfig;
use crate::serve::ServeError;
use crate::{config, open};

pub(crate) fn spec<C: Connector>(connector: &C) -> Response<'static> {
    Response::Spec(response::Spec {
        protocol: PROTOCOL_VERSION,
        config_schema: raw(&connector.config_schema()),
        resource_config_schema: raw(&ResourceConfig::schema()),
        documentation_url: C::DOCUMENTATION_URL.to_owned(),
        oauth2: None,
        resource_path_pointers: vec!["/name".to_owned()],
    })
}

pub(crate) async fn discover<C: Connector>(
    connector: &C,
    request: &request::Discover,
) -> Result<Response<'static>, ServeError> {
    let config: C::Config = config::decode(request.config.get()).map_err(BoxError::from)?;
    let resources = connector.resources(&config).await?;
    let discovered = |resource: &Resource| response::DiscoveredBinding {
        recommended_name: resource.name.clone(),
        resource_config: raw(&ResourceConfig::discovered(
            &resource.name,
            resource.interval,
        )),
        document_schema: raw(&resource.discovered_schema()),
        key: resource.key.clone(),
        disable: resource.is_disabled,
        resource_path: Vec::new(), // The runtime takes it from the config, by `resource_path_pointers`.
        is_fallback_key: false,
    };
    Ok(Response::Discovered(response::Discovered {
        bindings: resources.iter().map(discovered).collect(),
    }))
}

/// Answers with resource paths, or with all that is wrong at once.
pub(crate) async fn validate<C: Connector>(
    connector: &C,
    request: &request::Validate,
) -> Result<Response<'static>, ServeError> {
    let config: C::Config = config::decode(request.config.get()).map_err(BoxError::from)?;
    connector.check(&config).await?;
    let resources = open::by_name(connector.resources(&config).await?)?;
    let mut problems = Vec::new();
    let mut bindings = Vec::new();
    let mut bound = BTreeSet::new();
    for (index, binding) in request.bindings.iter().enumerate() {
        let name = match ResourceConfig::decode(index, binding.resource_config.get()) {
            Ok(config) => config.name,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        match resources.get(&name) {
            None => problems.push(format!(
                "resource `{name}` was not found; see which there are with `discover`"
            )),
            Some(resource) => problems.extend(key_problem(resource, &binding.collection.key)),
        }
        if !bound.insert(name.clone()) {
            problems.push(format!("resource `{name}` is bound twice; bind it once"));
        }
        bindings.push(response::ValidatedBinding {
            resource_path: vec![name],
        });
    }
    match problems.is_empty() {
        true => Ok(Response::Validated(response::Validated { bindings })),
        false => Err(ServeError::Connector(problems.join("\n"))),
    }
}

/// A snapshot's rows are told apart by their number alone.
fn key_problem(resource: &Resource, key: &[String]) -> Option<String> {
    let must_be_row =
        resource.snapshot.is_some() && !key.iter().any(|pointer| pointer == "/_meta/row_id");
    must_be_row.then(|| {
        format!(
            "the collection of snapshot resource `{}` must be keyed on /_meta/row_id",
            resource.name
        )
    })
}

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("a JSON value is JSON")
}
