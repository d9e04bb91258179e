//! The endpoints of an open capture, and the resources that they feed.

use std::sync::Arc;

use super::meta::Hidden;
use super::rules::Router;
use super::{Endpoint, Rule};
use crate::capture::OpenBinding;
use crate::resource::Resource;

/// The endpoints of an open capture. All lists are in the same order.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(super) router: Router,
    /// What is left out of each `_meta`.
    pub(super) hidden: Hidden,
    /// By the names of their resources.
    pub(super) named: Vec<(String, Endpoint)>,
    pub(super) bindings: Vec<Arc<OpenBinding>>,
}

impl Endpoints {
    /// None if there are none.
    pub(crate) fn of<'a>(
        bindings: impl Iterator<Item = (&'a Arc<OpenBinding>, &'a Resource)>,
    ) -> Result<Option<Self>, Vec<String>> {
        let fed = bindings.filter_map(|(binding, resource)| {
            let endpoint = resource.webhook.clone()?;
            Some(((resource.name.clone(), endpoint), Arc::clone(binding)))
        });
        let (named, bindings): (Vec<_>, Vec<_>) = fed.unzip();
        if bindings.is_empty() {
            return Ok(None);
        }
        let router = router(named.iter().map(|(name, endpoint)| (name, &endpoint.rule)))?;
        Ok(Some(Self {
            hidden: Hidden::of(named.iter().map(|(_, endpoint)| endpoint)),
            router,
            named,
            bindings,
        }))
    }
}

/// All that is wrong with the endpoints of these resources, each by itself and together.
pub(crate) fn conflicts(resources: &[Resource]) -> Vec<String> {
    let endpoints = resources.iter().filter_map(|resource| {
        let endpoint = resource.webhook.as_ref()?;
        Some((&resource.name, endpoint))
    });
    let mut problems: Vec<String> = endpoints
        .clone()
        .flat_map(|(name, endpoint)| endpoint.problems(name))
        .collect();
    let rules = endpoints.map(|(name, endpoint)| (name, &endpoint.rule));
    problems.extend(router(rules).err().unwrap_or_default());
    problems
}

fn router<'a>(rules: impl Iterator<Item = (&'a String, &'a Rule)>) -> Result<Router, Vec<String>> {
    let rules = rules.map(|(name, rule)| (name.clone(), rule.clone()));
    Router::new(rules).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}
