use super::*;
use crate::json::{decode_request, decode_response};
use crate::{request, response};

/// What a step is to come to.
enum Step {
    /// A request, as its JSON.
    Ask(&'static str),
    /// A response, as its JSON.
    Say(&'static str),
    /// The responses end.
    End,
}
use Step::{Ask, End, Say};

fn take(lifecycle: &mut Lifecycle, step: &Step) -> Result<(), ProtocolError> {
    match step {
        Ask(text) => lifecycle.request(&decode_request(text.as_bytes()).unwrap()),
        Say(text) => lifecycle.response(&decode_response(text.as_bytes()).unwrap()),
        End => lifecycle.finish(),
    }
}

const SPEC: &str = r#"{"spec":{}}"#;
const SPEC_IS: &str = r#"{"spec":{"configSchema":{},"resourceConfigSchema":{}}}"#;
const DISCOVER: &str = r#"{"discover":{"config":{}}}"#;
const DISCOVERED: &str = r#"{"discovered":{}}"#;
const VALIDATE: &str = r#"{"validate":{"config":{},"bindings":[{"resourceConfig":{},"collection":{"writeSchema":{}}}]}}"#;
const VALIDATED: &str = r#"{"validated":{"bindings":[{"resourcePath":["a"]}]}}"#;
const VALIDATED_NONE: &str = r#"{"validated":{}}"#;
const APPLY: &str = r#"{"apply":{}}"#;
const APPLIED: &str = r#"{"applied":{}}"#;
/// Of two bindings.
const OPEN: &str = r#"{"open":{"capture":{"config":{},"bindings":[{"resourceConfig":{},"collection":{"writeSchema":{}}},{"resourceConfig":{},"collection":{"writeSchema":{}}}]}}}"#;
const OPEN_NONE: &str = r#"{"open":{}}"#;
const OPENED: &str = r#"{"opened":{}}"#;
const DOC_0: &str = r#"{"captured":{"doc":{}}}"#;
const DOC_1: &str = r#"{"captured":{"binding":1,"doc":{}}}"#;
const DOC_2: &str = r#"{"captured":{"binding":2,"doc":{}}}"#;
const SCHEMA: &str = r#"{"sourcedSchema":{"binding":1,"documentSchema":{}}}"#;
const SCHEMA_2: &str = r#"{"sourcedSchema":{"binding":2,"documentSchema":{}}}"#;
const BEGIN: &str = r#"{"backfillBegin":{"binding":1}}"#;
const BEGIN_2: &str = r#"{"backfillBegin":{"binding":2}}"#;
const COMPLETE: &str = r#"{"backfillComplete":{}}"#;
const CHECKPOINT: &str = r#"{"checkpoint":{}}"#;
const ACK: &str = r#"{"acknowledge":{"checkpoints":1}}"#;
const ACK_3: &str = r#"{"acknowledge":{"checkpoints":3}}"#;

#[test]
fn legal_streams_are_let_through() {
    for (what, steps) in [
        ("nothing at all", &[End][..]),
        ("spec", &[Ask(SPEC), Say(SPEC_IS), End]),
        (
            "spec, then every other, on one stream",
            &[
                Ask(SPEC),
                Say(SPEC_IS),
                End,
                Ask(DISCOVER),
                Say(DISCOVERED),
                Ask(VALIDATE),
                Say(VALIDATED),
                Ask(APPLY),
                Say(APPLIED),
                Ask(SPEC),
                Say(SPEC_IS),
                Ask(OPEN),
                Say(OPENED),
                End,
            ],
        ),
        (
            "a capture of nothing",
            &[Ask(OPEN_NONE), Say(OPENED), Say(CHECKPOINT), End],
        ),
        (
            "sequences",
            &[
                Ask(OPEN),
                Say(OPENED),
                Say(CHECKPOINT),
                Say(DOC_0),
                Say(SCHEMA),
                Say(DOC_1),
                Say(CHECKPOINT),
                End,
                Say(SCHEMA),
                Say(CHECKPOINT),
                End,
            ],
        ),
        (
            "markers",
            &[
                Ask(OPEN),
                Say(OPENED),
                Say(BEGIN),
                Say(CHECKPOINT),
                Say(DOC_1),
                Say(CHECKPOINT),
                Say(COMPLETE),
                Say(CHECKPOINT),
                End,
            ],
        ),
        (
            "acknowledgements, though nobody asked, also in a sequence and after the end",
            &[
                Ask(OPEN),
                Say(OPENED),
                Say(CHECKPOINT),
                Say(CHECKPOINT),
                Say(CHECKPOINT),
                Say(CHECKPOINT),
                Say(DOC_0),
                Ask(ACK_3),
                Say(CHECKPOINT),
                Ask(ACK),
                End,
                Ask(ACK),
            ],
        ),
    ] {
        let mut lifecycle = Lifecycle::new();
        for (index, step) in steps.iter().enumerate() {
            take(&mut lifecycle, step)
                .unwrap_or_else(|error| panic!("{what}, step {index}: {error}"));
        }
    }
}

#[test]
fn each_breach_is_told_and_not_counted() {
    let nothing = Expected::Nothing;
    let unexpected = |response, expected| ProtocolError::UnexpectedResponse { response, expected };
    let request = |request, when| ProtocolError::UnexpectedRequest { request, when };
    let opened = Expected::Response(ResponseKind::Opened);
    let binding = |response, binding| ProtocolError::InvalidBinding {
        response,
        binding,
        bindings: 2,
    };
    let alone = |response| ProtocolError::MarkerNotAlone { response };
    for (steps, wrong, error) in [
        (
            &[][..],
            Say(SPEC_IS),
            unexpected(ResponseKind::Spec, nothing),
        ),
        (&[], Say(OPENED), unexpected(ResponseKind::Opened, nothing)),
        (&[], Say(DOC_0), unexpected(ResponseKind::Captured, nothing)),
        (
            &[],
            Say(CHECKPOINT),
            unexpected(ResponseKind::Checkpoint, nothing),
        ),
        (
            &[],
            Ask(ACK),
            request(RequestKind::Acknowledge, RequestFault::BeforeOpened),
        ),
        (
            &[Ask(SPEC)],
            Ask(DISCOVER),
            request(
                RequestKind::Discover,
                RequestFault::Unanswered(RequestKind::Spec),
            ),
        ),
        (
            &[Ask(SPEC)],
            Ask(OPEN),
            request(
                RequestKind::Open,
                RequestFault::Unanswered(RequestKind::Spec),
            ),
        ),
        (
            &[Ask(SPEC)],
            Ask(ACK),
            request(RequestKind::Acknowledge, RequestFault::BeforeOpened),
        ),
        (
            &[Ask(SPEC)],
            Say(DISCOVERED),
            unexpected(
                ResponseKind::Discovered,
                Expected::Response(ResponseKind::Spec),
            ),
        ),
        (
            &[Ask(SPEC)],
            Say(DOC_0),
            unexpected(
                ResponseKind::Captured,
                Expected::Response(ResponseKind::Spec),
            ),
        ),
        (
            &[Ask(SPEC)],
            End,
            ProtocolError::Unanswered {
                request: RequestKind::Spec,
            },
        ),
        (
            &[Ask(SPEC), Say(SPEC_IS)],
            Say(SPEC_IS),
            unexpected(ResponseKind::Spec, nothing),
        ),
        (
            &[Ask(DISCOVER)],
            Say(SPEC_IS),
            unexpected(
                ResponseKind::Spec,
                Expected::Response(ResponseKind::Discovered),
            ),
        ),
        (
            &[Ask(APPLY)],
            Say(VALIDATED),
            unexpected(
                ResponseKind::Validated,
                Expected::Response(ResponseKind::Applied),
            ),
        ),
        (
            &[Ask(VALIDATE)],
            Say(APPLIED),
            unexpected(
                ResponseKind::Applied,
                Expected::Response(ResponseKind::Validated),
            ),
        ),
        (
            &[Ask(VALIDATE)],
            Say(VALIDATED_NONE),
            ProtocolError::BindingCount {
                expected: 1,
                actual: 0,
            },
        ),
        (
            &[Ask(OPEN)],
            Say(CHECKPOINT),
            unexpected(ResponseKind::Checkpoint, opened),
        ),
        (
            &[Ask(OPEN)],
            Say(DOC_0),
            unexpected(ResponseKind::Captured, opened),
        ),
        (
            &[Ask(OPEN)],
            Say(BEGIN),
            unexpected(ResponseKind::BackfillBegin, opened),
        ),
        (
            &[Ask(OPEN)],
            Say(SCHEMA),
            unexpected(ResponseKind::SourcedSchema, opened),
        ),
        (
            &[Ask(OPEN)],
            Say(APPLIED),
            unexpected(ResponseKind::Applied, opened),
        ),
        (
            &[Ask(OPEN)],
            Ask(ACK),
            request(RequestKind::Acknowledge, RequestFault::BeforeOpened),
        ),
        (
            &[Ask(OPEN)],
            Ask(SPEC),
            request(RequestKind::Spec, RequestFault::AfterOpen),
        ),
        (
            &[Ask(OPEN)],
            End,
            ProtocolError::Unanswered {
                request: RequestKind::Open,
            },
        ),
        (
            &[Ask(OPEN), Say(OPENED)],
            Ask(SPEC),
            request(RequestKind::Spec, RequestFault::AfterOpen),
        ),
        (
            &[Ask(OPEN), Say(OPENED)],
            Ask(OPEN),
            request(RequestKind::Open, RequestFault::AfterOpen),
        ),
        (
            &[Ask(OPEN), Say(OPENED)],
            Say(OPENED),
            unexpected(ResponseKind::Opened, Expected::Streaming),
        ),
        (
            &[Ask(OPEN), Say(OPENED)],
            Say(SPEC_IS),
            unexpected(ResponseKind::Spec, Expected::Streaming),
        ),
        (
            &[Ask(OPEN), Say(OPENED)],
            Say(DOC_2),
            binding(ResponseKind::Captured, 2),
        ),
        (
            &[Ask(OPEN), Say(OPENED)],
            Say(SCHEMA_2),
            binding(ResponseKind::SourcedSchema, 2),
        ),
        (
            &[Ask(OPEN), Say(OPENED)],
            Say(BEGIN_2),
            binding(ResponseKind::BackfillBegin, 2),
        ),
        (
            &[Ask(OPEN_NONE), Say(OPENED)],
            Say(DOC_0),
            ProtocolError::InvalidBinding {
                response: ResponseKind::Captured,
                binding: 0,
                bindings: 0,
            },
        ),
        (
            &[Ask(OPEN), Say(OPENED), Say(BEGIN)],
            Say(DOC_1),
            alone(ResponseKind::Captured),
        ),
        (
            &[Ask(OPEN), Say(OPENED), Say(BEGIN)],
            Say(SCHEMA),
            alone(ResponseKind::SourcedSchema),
        ),
        (
            &[Ask(OPEN), Say(OPENED), Say(BEGIN)],
            Say(BEGIN),
            alone(ResponseKind::BackfillBegin),
        ),
        (
            &[Ask(OPEN), Say(OPENED), Say(BEGIN)],
            Say(COMPLETE),
            alone(ResponseKind::BackfillComplete),
        ),
        (
            &[Ask(OPEN), Say(OPENED), Say(DOC_1)],
            Say(BEGIN),
            alone(ResponseKind::BackfillBegin),
        ),
        (
            &[Ask(OPEN), Say(OPENED), Say(SCHEMA)],
            Say(COMPLETE),
            alone(ResponseKind::BackfillComplete),
        ),
        (
            &[Ask(OPEN), Say(OPENED), Say(DOC_0)],
            End,
            ProtocolError::IncompleteSequence,
        ),
        (
            &[Ask(OPEN), Say(OPENED), Say(SCHEMA)],
            End,
            ProtocolError::IncompleteSequence,
        ),
        (
            &[Ask(OPEN), Say(OPENED), Say(BEGIN)],
            End,
            ProtocolError::IncompleteSequence,
        ),
        (
            &[Ask(OPEN), Say(OPENED)],
            Ask(ACK),
            ProtocolError::UnexpectedAcknowledge {
                excess: 1,
                pending: 0,
            },
        ),
        (
            &[
                Ask(OPEN),
                Say(OPENED),
                Say(CHECKPOINT),
                Say(CHECKPOINT),
                Ask(ACK),
            ],
            Ask(ACK_3),
            ProtocolError::UnexpectedAcknowledge {
                excess: 2,
                pending: 1,
            },
        ),
    ] {
        let mut lifecycle = Lifecycle::new();
        for step in steps {
            take(&mut lifecycle, step).unwrap();
        }
        let before = format!("{lifecycle:?}");
        assert_eq!(take(&mut lifecycle, &wrong).unwrap_err(), error);
        assert_eq!(format!("{lifecycle:?}"), before, "{error}");
    }
}

#[test]
fn counts_and_questions_follow_the_stream() {
    let mut lifecycle = Lifecycle::new();
    let mut open = request::Open {
        capture: Default::default(),
        version: "v".into(),
        range: Default::default(),
        state: crate::RawValue::from_string("{}".into()).unwrap(),
    };
    let Request::Open(of_two) = decode_request(OPEN.as_bytes()).unwrap() else {
        panic!("not open")
    };
    open.capture = of_two.capture;
    lifecycle.request(&Request::Open(open)).unwrap();
    assert!(!lifecycle.is_open() && !lifecycle.wants_acknowledgements());

    let opened = response::Opened {
        explicit_acknowledgements: true,
    };
    lifecycle.response(&Response::Opened(opened)).unwrap();
    assert!(lifecycle.is_open() && lifecycle.wants_acknowledgements() && !lifecycle.in_sequence());

    lifecycle.captured(1).unwrap();
    assert!(lifecycle.in_sequence());
    assert!(lifecycle.captured(2).is_err());
    for _ in 0..3 {
        take(&mut lifecycle, &Say(CHECKPOINT)).unwrap();
    }
    assert!(!lifecycle.in_sequence());
    take(&mut lifecycle, &Ask(ACK)).unwrap();
    assert_eq!(
        (lifecycle.checkpoints(), lifecycle.unacknowledged()),
        (3, 2)
    );
}

#[test]
fn the_text_of_an_excess_names_acknowledge_and_then_pending() {
    let text = ProtocolError::UnexpectedAcknowledge {
        excess: 4,
        pending: 1,
    }
    .to_string();
    let acknowledge = text.find("acknowledge").unwrap();
    assert!(text[acknowledge..].contains("pending"), "{text}");
}
