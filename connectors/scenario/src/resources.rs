//! The kit's resources, from the script's.

use std::sync::Arc;

use serde_json::{Map, Value};
use staunch::state::Node;
use staunch::{BoxError, FetchResult, Opening, Resource};

use crate::emitter::Emitter;
use crate::function::{Arguments, Function};
use crate::latch::Latches;
use crate::migrations;
use crate::script::{FunctionScript, Functions, ResourceScript};

/// Makes the resource that a script describes.
pub(crate) fn resource(
    script: ResourceScript,
    latches: &Arc<Latches>,
) -> Result<Resource, BoxError> {
    // What is migrated is the state with which a binding opens, and a new one opens with this.
    let initial = migrations::migrated_initial(&script)?;
    let mut resource = Resource::new(script.name.as_str())
        .key(script.key)
        .interval(script.interval.unwrap_or_default())
        .schedule(script.schedule.unwrap_or_default())
        .schema_inference(script.schema_inference)
        .initial_state(initial);
    if let Some(schema) = script.schema {
        resource = resource.schema(schema);
    }
    if let Some(reduction) = script.reduction_strategy {
        resource = resource.reduction(reduction);
    }
    if script.disable {
        resource = resource.disabled();
    }
    if script.explicit_acks {
        resource = resource.acknowledged();
    }
    if let Some(tombstone) = script.tombstone {
        resource = with_tombstone(resource, tombstone)?;
    }
    if let Some(functions) = script.incremental {
        resource = with_incremental(resource, functions, latches);
    }
    if let Some(functions) = script.backfill {
        resource = with_backfill(resource, functions, latches);
    }
    if let Some(functions) = script.snapshot {
        resource = with_snapshot(resource, functions, latches);
    }
    let (schema, error) = (script.open_sourced_schema, script.open_error);
    if schema.is_some() || error.is_some() {
        resource = resource.on_open(move |opening| open(opening, schema, error));
    }
    Ok(resource)
}

async fn open(mut opening: Opening, schema: Option<Value>, error: Option<String>) -> FetchResult {
    if let Some(schema) = schema {
        opening.sourced_schema(&schema)?;
    }
    match error {
        Some(message) => Err(format!("scenario error: {message}").into()),
        None => Ok(()),
    }
}

fn with_tombstone(
    resource: Resource,
    mut tombstone: Map<String, Value>,
) -> Result<Resource, BoxError> {
    let Some(subtasks) = tombstone.remove("subtasks") else {
        return Ok(resource.tombstone(tombstone));
    };
    let Value::Object(subtasks) = subtasks else {
        return Err("the tombstones of subtasks are no object".into());
    };
    subtasks
        .into_iter()
        .try_fold(resource, |resource, (subtask, members)| match members {
            Value::Object(members) => Ok(resource.tombstone_subtask(&subtask, members)),
            _ => Err("the tombstone of a subtask is no object".into()),
        })
}

fn with_incremental(resource: Resource, functions: Functions, latches: &Arc<Latches>) -> Resource {
    let fetch = |script: FunctionScript| {
        let function = Function::new(script, latches);
        move |cursor, emit| {
            Arc::clone(&function).invoke(Arguments::Incremental { cursor }, Emitter::Changes(emit))
        }
    };
    match functions.into_parts() {
        Ok(flat) => resource.incremental(fetch(flat)),
        Err(subtasks) => subtasks
            .into_iter()
            .fold(resource, |resource, (subtask, script)| {
                resource.incremental_subtask(&subtask, fetch(script))
            }),
    }
}

fn with_backfill(resource: Resource, functions: Functions, latches: &Arc<Latches>) -> Resource {
    let fetch = |script: FunctionScript| {
        let function = Function::new(script, latches);
        move |page, cutoff, emit: staunch::Pages| {
            let is_connector_initiated = emit.is_connector_initiated();
            let arguments = Arguments::Backfill {
                page,
                cutoff,
                is_connector_initiated,
            };
            Arc::clone(&function).invoke(arguments, Emitter::Pages(Box::new(emit)))
        }
    };
    match functions.into_parts() {
        Ok(flat) => resource.backfill(fetch(flat)),
        Err(subtasks) => subtasks
            .into_iter()
            .fold(resource, |resource, (subtask, script)| {
                resource.backfill_subtask(&subtask, fetch(script))
            }),
    }
}

fn with_snapshot(resource: Resource, functions: Functions, latches: &Arc<Latches>) -> Resource {
    let fetch = |script: FunctionScript| {
        let function = Function::new(script, latches);
        move |emit| Arc::clone(&function).invoke(Arguments::Snapshot, Emitter::Rows(Box::new(emit)))
    };
    match functions.into_parts() {
        Ok(flat) => resource.snapshot(fetch(flat)),
        Err(subtasks) => subtasks
            .into_iter()
            .fold(resource, |resource, (subtask, script)| {
                resource.snapshot_subtask(&subtask, fetch(script))
            }),
    }
}

/// The initial state, as the kit has states.
pub(crate) fn initial_state(script: &ResourceScript) -> Result<Node, BoxError> {
    match &script.initial_state {
        None => Ok(Node::Object(Default::default())),
        Some(state) => Ok(Node::parse(state.get())?),
    }
}
