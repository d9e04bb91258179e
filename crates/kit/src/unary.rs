//! Answers to what is asked once: what the connector is, what there is to capture, and whether a capture would work.

use std::collections::BTreeMap;

use serde_json::Value;
use staunch_protocol::{PROTOCOL_VERSION, RawValue, Response, request, response};

use crate::capture::{BoxError, error_chain};
use crate::config;
use crate::connector::Connector;
use crate::discovery;
use crate::proposed::Proposed;
use crate::resource::Resource;
use crate::resource_config::ResourceConfig;
use crate::serve::ServeError;

/// How many problems one answer tells. A log line that is longer is cut.
const MANY: usize = 50;

pub(crate) fn spec<C: Connector>(connector: &C) -> Response<'static> {
    Response::Spec(response::Spec {
        protocol: PROTOCOL_VERSION,
        config_schema: raw(&connector.config_schema()),
        resource_config_schema: raw(&ResourceConfig::schema(C::HAS_SCHEDULES)),
        documentation_url: C::DOCUMENTATION_URL.to_owned(),
        oauth2: connector.oauth2().map(|oauth2| oauth2.to_raw()),
        resource_path_pointers: vec!["/name".to_owned()],
    })
}

pub(crate) async fn discover<C: Connector>(
    connector: &C,
    request: &request::Discover,
) -> Result<Response<'static>, ServeError> {
    let config = config::read(connector, request.config.get()).map_err(BoxError::from)?;
    let resources = connector.resources(&config).await?;
    refuse(discovery::problems(&resources))?;
    let discovered = |resource: &Resource| response::DiscoveredBinding {
        recommended_name: resource.name.clone(),
        resource_config: raw(&ResourceConfig::discovered(
            &resource.name,
            resource.interval,
            resource.schedule.as_deref().filter(|_| C::HAS_SCHEDULES),
        )),
        document_schema: raw(&resource.discovered_schema()),
        key: resource.discovered_key(),
        disable: resource.is_disabled,
        resource_path: Vec::new(), // The runtime takes it from the config, by `resource_path_pointers`.
        is_fallback_key: resource.has_fallback_key(),
    };
    Ok(Response::Discovered(response::Discovered {
        bindings: resources.iter().map(discovered).collect(),
    }))
}

/// Answers with resource paths, or with all that is wrong at once: with the endpoint config, with the bindings, and with the source.
pub(crate) async fn validate<C: Connector>(
    connector: &C,
    request: &request::Validate,
) -> Result<Response<'static>, ServeError> {
    let mut problems = Vec::new();
    let config = config::read(connector, request.config.get())
        .map_err(|error| problems.push(error.to_string()))
        .ok();
    let resources = match &config {
        None => None, // Which there are depends on it.
        Some(config) => resources(connector, config)
            .await
            .map_err(|of_resources| problems.extend(of_resources))
            .ok(),
    };
    let bound = bindings(
        request,
        resources.as_deref(),
        C::HAS_SCHEDULES,
        &mut problems,
    );
    if let Some(config) = &config {
        problems.extend(connector.check_bindings(config, &Proposed::of(request)));
    }
    // Last: whether the source can be reached is asked even if something else is wrong already.
    if let Some(config) = &config
        && let Err(error) = connector.check(config).await
    {
        let problem = error_chain(&*error);
        if !problems.contains(&problem) {
            problems.push(problem); // The connector's resources may have met with the same.
        }
    }
    refuse(problems)?;
    let path = |name: String| response::ValidatedBinding {
        resource_path: vec![name],
    };
    Ok(Response::Validated(response::Validated {
        bindings: bound.into_iter().map(path).collect(),
    }))
}

async fn resources<C: Connector>(
    connector: &C,
    config: &C::Config,
) -> Result<Vec<Resource>, Vec<String>> {
    let resources = connector.resources(config).await;
    let resources = resources.map_err(|error| vec![error_chain(&*error)])?;
    match discovery::problems(&resources) {
        problems if problems.is_empty() => Ok(resources),
        problems => Err(problems),
    }
}

/// The names of the resources that are bound, as far as nothing is wrong with them.
fn bindings(
    request: &request::Validate,
    resources: Option<&[Resource]>,
    has_schedules: bool,
    problems: &mut Vec<String>,
) -> Vec<String> {
    let resources: Option<BTreeMap<&str, &Resource>> = resources.map(|resources| {
        let named = |resource| (Resource::name(resource), resource);
        resources.iter().map(named).collect()
    });
    let mut names = Vec::with_capacity(request.bindings.len());
    let mut first = BTreeMap::new();
    for (index, binding) in request.bindings.iter().enumerate() {
        let json = binding.resource_config.get();
        let has_schedule = match ResourceConfig::decode(index, json) {
            Ok(config) => {
                if let Some(schedule) = config.schedule
                    && !schedule.comes_round()
                {
                    // Here alone: a capture that runs with it goes on running.
                    problems.push(format!(
                        "the resource config of binding {index} (`{}`) has a `schedule` that never comes round: no such month has such a \
                         day; write a day that there is",
                        config.name
                    ));
                }
                config.schedule.is_some()
            }
            Err(of_config) => {
                problems.extend(of_config);
                false
            }
        };
        let Some(name) = ResourceConfig::name_in(json) else {
            continue;
        };
        let mut wrong = |what: String| problems.push(format!("binding {index}: {what}"));
        if has_schedule && !has_schedules {
            wrong(format!(
                "resource `{name}` has no schedules; remove the `schedule` from its config"
            ));
        }
        if let Some(resources) = &resources {
            match resources.get(&*name) {
                None => wrong(format!(
                    "resource `{name}` was not found; see which there are with `discover`"
                )),
                Some(resource) if resource.snapshot.is_some() => {
                    if !discovery::is_keyed_on_row(&binding.collection.key) {
                        wrong(format!(
                            "the collection of snapshot resource `{name}` must be keyed on /_meta/row_id; add that to its key"
                        ));
                    }
                }
                Some(_) => {}
            }
        }
        match first.get(&name) {
            Some(first) => wrong(format!(
                "resource `{name}` is bound twice, by binding {first} too; bind it once"
            )),
            None => drop(first.insert(name.clone(), index)),
        }
        names.push(name);
    }
    names
}

/// Nothing, or one error of all that is wrong.
pub(crate) fn refuse(problems: Vec<String>) -> Result<(), BoxError> {
    match &problems[..] {
        [] => Ok(()),
        [problem] => Err(problem.clone().into()),
        several => {
            let mut message = format!("{} things are wrong:", several.len());
            for problem in several.iter().take(MANY) {
                message.push_str("\n- ");
                message.push_str(problem);
            }
            if several.len() > MANY {
                message.push_str("\n- and others; correct these first");
            }
            Err(message.into())
        }
    }
}

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("a JSON value is JSON")
}
