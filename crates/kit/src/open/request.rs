//! What an `Open` request says, read.

use std::collections::BTreeSet;

use staunch_protocol::RawValue;
use staunch_protocol::flow::CaptureBinding;
use staunch_state::{BINDING_STATES, Binding, Node, Object};

use crate::capture::BoxError;
use crate::resource_config::ResourceConfig;
use crate::unary;

/// The connector state, which is an object if there is any.
pub(super) fn parse_state(json: Box<RawValue>) -> Result<Node, BoxError> {
    match Node::parse_owned(String::from(Box::<str>::from(json)))? {
        Node::Null => Ok(Node::Object(Object::new())),
        state @ Node::Object(_) => Ok(state),
        Node::Leaf(_) => {
            Err("the connector state is not an object; restore it from the history".into())
        }
    }
}

/// All bindings' configurations, or all that is wrong with them.
pub(super) fn resource_configs(
    bindings: &[CaptureBinding],
) -> Result<Vec<ResourceConfig>, BoxError> {
    let mut problems = Vec::new();
    let mut configs = Vec::with_capacity(bindings.len());
    for (index, binding) in bindings.iter().enumerate() {
        match ResourceConfig::decode(index, binding.resource_config.get()) {
            Ok(config) => configs.push(config),
            Err(of_binding) => problems.extend(of_binding),
        }
    }
    unary::refuse(problems)?;
    Ok(configs)
}

/// What migrations see: the bindings of the capture, those which are disabled, and the state keys which have no binding at all.
pub(super) fn state_bindings(
    active: &[CaptureBinding],
    inactive: &[CaptureBinding],
    state: &Node,
) -> Result<Vec<Binding>, BoxError> {
    let mut bindings = Vec::with_capacity(active.len() + inactive.len());
    let mut seen = BTreeSet::new();
    let all = active
        .iter()
        .map(|binding| (binding, true))
        .chain(inactive.iter().map(|binding| (binding, false)));
    for (binding, is_active) in all {
        let is_new = seen.insert(binding.state_key.clone());
        if !is_new && is_active {
            return Err(format!(
                "two bindings have the state key `{}`; give one another resource",
                binding.state_key
            )
            .into());
        }
        if is_new {
            let resource = Some(Node::parse(binding.resource_config.get())?);
            bindings.push(Binding {
                state_key: binding.state_key.clone(),
                resource,
                is_active,
            });
        }
    }
    let states = state
        .as_object()
        .and_then(|state| state.get(BINDING_STATES)?.as_object());
    let with_state = states
        .into_iter()
        .flat_map(Object::iter)
        .filter(|(_, state)| !state.is_null());
    let orphans = with_state.filter(|(state_key, _)| !seen.contains(*state_key));
    bindings.extend(orphans.map(|(state_key, _)| Binding {
        state_key: state_key.to_owned(),
        resource: None,
        is_active: false,
    }));
    Ok(bindings)
}
