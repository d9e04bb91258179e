//! Where in a message a byte is, as a path of the protocol's own names.

/// The path of the member that the byte at `offset` of a JSON text is in: `open.capture.bindings[3].key`.
///
/// Made for error messages, from text that may not be JSON: a best effort. It ends at the first name
/// that the protocol does not have, and at members whose value is the user's, so that it never tells
/// what a document, a configuration or a state contains. Empty at the top level.
pub(super) fn path_at(text: &str, offset: usize) -> String {
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut string: Option<usize> = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().take(offset) {
        if let Some(start) = string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    string = None;
                    if let Some(Level::Object {
                        name,
                        in_value: false,
                    }) = levels.last_mut()
                    {
                        *name = Some(&text[start..at]);
                    }
                }
                _ => {}
            }
            continue;
        }
        let nested = levels.len();
        match (byte, levels.last_mut()) {
            (b'"', _) => string = Some(at + 1),
            // Deeper than any message is; what is there is the user's.
            (b'{' | b'[', _) if nested > MAX_LEVELS => break,
            (b'{', _) => levels.push(Level::Object {
                name: None,
                in_value: false,
            }),
            (b'[', _) => levels.push(Level::Array { index: 0 }),
            // The error is told just behind what closes too early: stay inside.
            (b'}' | b']', _) if at + 1 < offset => {
                levels.pop();
            }
            (b':', Some(Level::Object { in_value, .. })) => *in_value = true,
            (b',', Some(Level::Object { name, in_value })) => (*name, *in_value) = (None, false),
            (b',', Some(Level::Array { index })) => *index += 1,
            _ => {}
        }
    }
    join(&levels)
}

/// Nesting of the deepest member that is the protocol's, with room for what newer ones have.
const MAX_LEVELS: usize = 16;

enum Level<'a> {
    Object {
        name: Option<&'a str>,
        in_value: bool,
    },
    Array {
        index: usize,
    },
}

fn join(levels: &[Level<'_>]) -> String {
    let mut path = String::new();
    let mut root = "";
    for (depth, level) in levels.iter().enumerate() {
        match level {
            Level::Array { index } => path.push_str(&format!("[{index}]")),
            Level::Object {
                name: Some(name), ..
            } => {
                let known = [MESSAGES, LISTS, MEMBERS]
                    .iter()
                    .any(|names| names.contains(name));
                if !known {
                    break;
                }
                if depth == 0 {
                    root = name;
                } else {
                    path.push('.');
                }
                path.push_str(name);
                // A `state` is a message of ours in some responses, and the user's in requests.
                let ours = *name != "state" || matches!(root, "checkpoint" | "applied");
                if !MESSAGES.contains(name) || !ours {
                    // Lists of names are ours, too.
                    if let Some(Level::Array { index }) = levels.get(depth + 1)
                        && LISTS.contains(name)
                    {
                        path.push_str(&format!("[{index}]"));
                    }
                    break;
                }
            }
            Level::Object { name: None, .. } => break,
        }
    }
    path
}

/// Members whose value is a message, or a list of them: the path may go on inside.
const MESSAGES: &[&str] = &[
    "spec",
    "discover",
    "validate",
    "apply",
    "open",
    "acknowledge",
    "discovered",
    "validated",
    "applied",
    "opened",
    "captured",
    "checkpoint",
    "sourcedSchema",
    "sourced_schema",
    "backfillBegin",
    "backfill_begin",
    "backfillComplete",
    "backfill_complete",
    "capture",
    "lastCapture",
    "last_capture",
    "bindings",
    "inactiveBindings",
    "inactive_bindings",
    "collection",
    "linkedCollections",
    "linked_collections",
    "projections",
    "range",
    "state",
];

/// Members that are lists of strings.
const LISTS: &[&str] = &[
    "key",
    "resourcePath",
    "resource_path",
    "partitionFields",
    "partition_fields",
    "resourcePathPointers",
    "resource_path_pointers",
];

/// All the other members: the path may end there.
const MEMBERS: &[&str] = &[
    "connectorType",
    "connector_type",
    "config",
    "config_json",
    "name",
    "lastVersion",
    "last_version",
    "version",
    "resourceConfig",
    "resource_config",
    "resource_config_json",
    "backfill",
    "collectionIndex",
    "collection_index",
    "state_json",
    "checkpoints",
    "protocol",
    "configSchema",
    "config_schema",
    "config_schema_json",
    "resourceConfigSchema",
    "resource_config_schema",
    "resource_config_schema_json",
    "documentationUrl",
    "documentation_url",
    "oauth2",
    "recommendedName",
    "recommended_name",
    "documentSchema",
    "document_schema",
    "document_schema_json",
    "schemaJson",
    "schema_json",
    "disable",
    "isFallbackKey",
    "is_fallback_key",
    "actionDescription",
    "action_description",
    "explicitAcknowledgements",
    "explicit_acknowledgements",
    "binding",
    "doc",
    "doc_json",
    "updated",
    "updated_json",
    "mergePatch",
    "merge_patch",
    "intervalSeconds",
    "interval_seconds",
    "shardTemplate",
    "shard_template",
    "recoveryLogTemplate",
    "recovery_log_template",
    "networkPorts",
    "network_ports",
    "redactSalt",
    "redact_salt",
    "stateKey",
    "state_key",
    "writeSchema",
    "write_schema",
    "write_schema_json",
    "readSchema",
    "read_schema",
    "read_schema_json",
    "uuidPtr",
    "uuid_ptr",
    "ackTemplate",
    "ack_template",
    "ack_template_json",
    "partitionTemplate",
    "partition_template",
    "ptr",
    "field",
    "explicit",
    "isPartitionKey",
    "is_partition_key",
    "isPrimaryKey",
    "is_primary_key",
    "inference",
    "keyBegin",
    "key_begin",
    "keyEnd",
    "key_end",
    "rClockBegin",
    "r_clock_begin",
    "rClockEnd",
    "r_clock_end",
];
