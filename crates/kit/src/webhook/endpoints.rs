//! The endpoints of an open capture, and the resources that they feed.

use std::sync::Arc;

use super::rules::Router;
use super::{Endpoint, Rule};
use crate::capture::OpenBinding;
use crate::resource::Resource;

/// The endpoints of an open capture. All lists are in the same order.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(super) router: Router,
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
            router,
            named,
            bindings,
        }))
    }
}

/// What is wrong with the rules of these resources together.
pub(crate) fn conflicts(resources: &[Resource]) -> Vec<String> {
    let rules = resources.iter().filter_map(|resource| {
        let endpoint = resource.webhook.as_ref()?;
        Some((&resource.name, &endpoint.rule))
    });
    router(rules).err().unwrap_or_default()
}

fn router<'a>(rules: impl Iterator<Item = (&'a String, &'a Rule)>) -> Result<Router, Vec<String>> {
    let rules = rules.map(|(name, rule)| (name.clone(), rule.clone()));
    Router::new(rules.collect()).map_err(|conflicts| {
        let conflicts = conflicts.iter().map(ToString::to_string);
        conflicts.collect()
    })
}
