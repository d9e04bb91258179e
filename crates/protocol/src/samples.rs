//! Messages for tests: arbitrary ones, of every kind and with every member.
//!
//! Parts are boxed: a strategy of a whole request is otherwise so large that it overflows a test's stack.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::flow::*;
use crate::proto::tables::{
    INFERENCE, JOURNAL_SPEC, Kind, Message, NETWORK_PORT, OAUTH2, SHARD_SPEC,
};
use crate::{Request, Response, request, response};

/// Text of the members that are JSON text here, and messages in protobuf.
pub(crate) type Embedded = fn(&'static Message) -> BoxedStrategy<Box<RawValue>>;

/// Any JSON: no reader of JSON looks inside.
pub(crate) fn as_it_comes(_: &'static Message) -> BoxedStrategy<Box<RawValue>> {
    set_json()
}

/// The message that it is in protobuf, as it is read from there.
pub(crate) fn as_a_message(message: &'static Message) -> BoxedStrategy<Box<RawValue>> {
    message_json(message)
        .prop_map(|text| RawValue::from_string(text).unwrap())
        .boxed()
}

fn message_json(message: &'static Message) -> BoxedStrategy<String> {
    let members: Vec<_> = message
        .fields
        .iter()
        .map(|field| option::of(value_json(field.kind)))
        .collect();
    members
        .prop_map(|values| {
            let members = message.fields.iter().zip(values);
            let members: Vec<String> = members
                .filter_map(|(field, value)| Some(format!("\"{}\":{}", field.name, value?)))
                .collect();
            format!("{{{}}}", members.join(","))
        })
        .boxed()
}

/// No defaults, which are left out.
fn value_json(kind: Kind) -> BoxedStrategy<String> {
    let quoted = || "[^\\x00-\\x1f\"\\\\]{1,6}".prop_map(|text| format!("\"{text}\""));
    let raw = || json().prop_map(|raw| raw.get().to_owned());
    let list = |item: BoxedStrategy<String>| {
        vec(item, 1..3).prop_map(|items| format!("[{}]", items.join(",")))
    };
    match kind {
        Kind::Text => quoted().boxed(),
        Kind::Texts => list(quoted().boxed()).boxed(),
        Kind::Boolean => Just("true".to_owned()).boxed(),
        Kind::Uint32 => (1..=u32::MAX).prop_map(|n| n.to_string()).boxed(),
        Kind::Int64 => any::<i64>()
            .prop_filter("no default", |n| *n != 0)
            .prop_map(|n| format!("\"{n}\""))
            .boxed(),
        Kind::Double => any::<f64>()
            .prop_filter("JSON, and no default", |n| n.is_finite() && *n != 0.0)
            .prop_map(|n| serde_json::to_string(&n).unwrap())
            .boxed(),
        Kind::Enum(names) => (1..names.len())
            .prop_map(|at| format!("\"{}\"", names[at].1))
            .boxed(),
        Kind::Json => raw().boxed(),
        Kind::Jsons => list(raw().boxed()).boxed(),
        Kind::JsonMap => proptest::collection::btree_map("[a-z]{1,4}", raw(), 1..3)
            .prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("\"{key}\":{value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            })
            .boxed(),
        Kind::Duration => prop_oneof![
            "-?[1-9][0-9]{0,9}",
            "[0-9]\\.[0-9]{2}[1-9]",
            "-[0-9]\\.[0-9]{8}1"
        ]
        .prop_map(|seconds: String| format!("\"{seconds}s\""))
        .boxed(),
        Kind::Message(message) => message_json(message),
        Kind::Messages(message) => list(message_json(message)).boxed(),
    }
}

/// JSON text as a peer may have written it: any value, with space and line breaks between tokens.
pub(crate) fn json() -> BoxedStrategy<Box<RawValue>> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("1e400".to_owned()),
        Just("\"\\ud800 \\n\"".to_owned()),
        any::<bool>().prop_map(|v| v.to_string()),
        any::<i64>().prop_map(|v| v.to_string()),
        text().prop_map(|v| serde_json::to_string(&v).unwrap()),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        let space = prop_oneof![Just(""), Just(" "), Just("\n"), Just("\r\n\t")];
        prop_oneof![
            (vec(inner.clone(), 0..4), space.clone())
                .prop_map(|(items, gap)| format!("[{gap}{}{gap}]", items.join(&format!("{gap},")))),
            (vec((text(), inner), 0..4), space).prop_map(|(members, gap)| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(k, v)| format!("{}{gap}:{v}", serde_json::to_string(k).unwrap()))
                    .collect();
                format!("{{{gap}{}{gap}}}", members.join(&format!(",{gap}")))
            }),
        ]
    });
    value
        .prop_map(|text| RawValue::from_string(text).unwrap())
        .boxed()
}

/// JSON text that is not `null`: of a member where `null` means that it is unset.
pub(crate) fn set_json() -> BoxedStrategy<Box<RawValue>> {
    json()
        .prop_filter("null is unset", |raw| raw.get() != "null")
        .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof!["[a-z/_]{0,6}", any::<String>()].boxed()
}

fn texts() -> BoxedStrategy<Vec<String>> {
    vec(text(), 0..3).boxed()
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(u32::MAX), any::<u32>()]
}

fn connector_type() -> impl Strategy<Value = ConnectorType> {
    prop_oneof![Just(ConnectorType::Image), Just(ConnectorType::Local)]
}

prop_compose! {
    fn projection(of: Embedded)(
        ptr in text(), field in text(), explicit: bool, is_partition_key: bool, is_primary_key: bool,
        inference in option::of(of(&INFERENCE)),
    ) -> Projection {
        Projection { ptr, field, explicit, is_partition_key, is_primary_key, inference }
    }
}

prop_compose! {
    pub(crate) fn collection(of: Embedded)(
        name in text(), write_schema in json(), read_schema in option::of(set_json()), key in texts(),
        uuid_ptr in text(), partition_fields in texts(), projections in vec(projection(of).boxed(), 0..3),
        ack_template in option::of(set_json()), partition_template in option::of(of(&JOURNAL_SPEC)),
    ) -> CollectionSpec {
        CollectionSpec {
            name, write_schema, read_schema, key, uuid_ptr, partition_fields, projections,
            ack_template, partition_template,
        }
    }
}

prop_compose! {
    fn binding(of: Embedded)(
        resource_config in json(), resource_path in texts(), collection in collection(of).boxed(),
        backfill in number(), state_key in text(),
    ) -> CaptureBinding {
        CaptureBinding { resource_config, resource_path, collection, backfill, state_key }
    }
}

prop_compose! {
    pub(crate) fn capture(of: Embedded)(
        name in text(), connector_type in connector_type(), config in json(),
        bindings in vec(binding(of).boxed(), 0..3), interval_seconds in number(),
        shard_template in option::of(of(&SHARD_SPEC)), recovery_log_template in option::of(of(&JOURNAL_SPEC)),
        network_ports in vec(of(&NETWORK_PORT), 0..2), inactive_bindings in vec(binding(of).boxed(), 0..2),
        redact_salt in option::of("[a-zA-Z0-9+/]{4}"),
    ) -> CaptureSpec {
        CaptureSpec {
            name, connector_type, config, bindings, interval_seconds, shard_template,
            recovery_log_template, network_ports, inactive_bindings, redact_salt,
        }
    }
}

prop_compose! {
    fn range()(
        key_begin in number(), key_end in number(), r_clock_begin in number(), r_clock_end in number(),
    ) -> RangeSpec {
        RangeSpec { key_begin, key_end, r_clock_begin, r_clock_end }
    }
}

prop_compose! {
    fn validate_binding(of: Embedded)(
        resource_config in json(), collection in collection(of).boxed(), backfill in number(),
    ) -> request::ValidateBinding {
        request::ValidateBinding { resource_config, collection, backfill }
    }
}

/// Any request.
pub(crate) fn request(of: Embedded) -> impl Strategy<Value = Request> {
    prop_oneof![
        (connector_type(), json()).prop_map(|(connector_type, config)| {
            Request::Spec(request::Spec {
                connector_type,
                config,
            })
        }),
        (connector_type(), json(), text()).prop_map(|(connector_type, config, name)| {
            Request::Discover(request::Discover {
                connector_type,
                config,
                name,
            })
        }),
        (
            text(),
            connector_type(),
            json(),
            vec(validate_binding(of).boxed(), 0..3),
            option::of(capture(of).boxed()),
            text()
        )
            .prop_map(
                |(name, connector_type, config, bindings, last_capture, last_version)| {
                    Request::Validate(request::Validate {
                        name,
                        connector_type,
                        config,
                        bindings,
                        last_capture,
                        last_version,
                    })
                }
            ),
        (
            capture(of).boxed(),
            text(),
            option::of(capture(of).boxed()),
            text(),
            option::of(set_json())
        )
            .prop_map(|(capture, version, last_capture, last_version, state)| {
                Request::Apply(request::Apply {
                    capture,
                    version,
                    last_capture,
                    last_version,
                    state,
                })
            }),
        (capture(of).boxed(), text(), range(), set_json()).prop_map(
            |(capture, version, range, state)| {
                Request::Open(request::Open {
                    capture,
                    version,
                    range,
                    state,
                })
            }
        ),
        number().prop_map(|checkpoints| Request::Acknowledge(request::Acknowledge { checkpoints })),
    ]
}

prop_compose! {
    fn discovered()(
        recommended_name in text(), resource_config in json(), document_schema in json(),
        key in texts(), disable: bool, resource_path in texts(), is_fallback_key: bool,
    ) -> response::DiscoveredBinding {
        response::DiscoveredBinding {
            recommended_name, resource_config, document_schema, key, disable, resource_path,
            is_fallback_key,
        }
    }
}

prop_compose! {
    fn state()(updated in json(), merge_patch: bool) -> response::OwnedConnectorState {
        response::OwnedConnectorState { updated, merge_patch }
    }
}

prop_compose! {
    fn spec(of: Embedded)(
        protocol in number(), config_schema in json(), resource_config_schema in json(),
        documentation_url in text(), oauth2 in option::of(of(&OAUTH2)),
        resource_path_pointers in texts(),
    ) -> response::Spec {
        response::Spec {
            protocol, config_schema, resource_config_schema, documentation_url, oauth2,
            resource_path_pointers,
        }
    }
}

/// A response with text of its own, since a strategy cannot lend.
#[derive(Debug, Clone)]
pub(crate) enum Owned {
    Whole(Response<'static>),
    Captured(u32, Box<RawValue>),
    Checkpoint(Option<response::OwnedConnectorState>),
    SourcedSchema(u32, Box<RawValue>),
}

impl Owned {
    pub(crate) fn lend(&self) -> Response<'_> {
        match self {
            Self::Whole(response) => response.clone(),
            Self::Captured(binding, doc) => Response::Captured(response::Captured {
                binding: *binding,
                doc,
            }),
            Self::Checkpoint(state) => Response::Checkpoint(response::Checkpoint {
                state: state.as_ref().map(response::OwnedConnectorState::as_state),
            }),
            Self::SourcedSchema(binding, document_schema) => {
                Response::SourcedSchema(response::SourcedSchema {
                    binding: *binding,
                    document_schema,
                })
            }
        }
    }
}

/// Any response.
pub(crate) fn response(of: Embedded) -> impl Strategy<Value = Owned> {
    let marker = || number().prop_map(|binding| response::BackfillMarker { binding });
    prop_oneof![
        spec(of)
            .boxed()
            .prop_map(|spec| Owned::Whole(Response::Spec(spec))),
        vec(discovered().boxed(), 0..3).prop_map(|bindings| Owned::Whole(Response::Discovered(
            response::Discovered { bindings }
        ))),
        vec(texts(), 0..3).prop_map(|paths| {
            let bindings = paths.into_iter();
            let bindings = bindings
                .map(|resource_path| response::ValidatedBinding { resource_path })
                .collect();
            Owned::Whole(Response::Validated(response::Validated { bindings }))
        }),
        (text(), option::of(state().boxed())).prop_map(|(action_description, state)| Owned::Whole(
            Response::Applied(response::Applied {
                action_description,
                state
            })
        )),
        any::<bool>().prop_map(|explicit_acknowledgements| Owned::Whole(Response::Opened(
            response::Opened {
                explicit_acknowledgements
            }
        ))),
        (number(), json()).prop_map(|(binding, doc)| Owned::Captured(binding, doc)),
        option::of(state().boxed()).prop_map(Owned::Checkpoint),
        (number(), json()).prop_map(|(binding, schema)| Owned::SourcedSchema(binding, schema)),
        marker().prop_map(|marker| Owned::Whole(Response::BackfillBegin(marker))),
        marker().prop_map(|marker| Owned::Whole(Response::BackfillComplete(marker))),
    ]
}
