mod oracle;

use proptest::prelude::*;
use prost::Message as _;
use serde_json::json;

use super::*;
use crate::{Codec, Request, Response, json, request, samples};

/// A message without the length before it.
fn written(request: &Request) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_request(request, &mut frame).unwrap();
    body(frame)
}

fn said(response: &Response<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_response(response, &mut frame).unwrap();
    body(frame)
}

fn body(mut frame: Vec<u8>) -> Vec<u8> {
    let length = u32::from_le_bytes(*frame.first_chunk().unwrap());
    frame.drain(..4);
    assert_eq!(frame.len(), length as usize);
    frame
}

/// As a line, which is what messages are compared by.
fn line(request: &Request) -> String {
    let mut line = Vec::new();
    json::encode_request(request, &mut line);
    String::from_utf8(line).unwrap()
}

fn line_said(response: &Response<'_>) -> String {
    let mut line = Vec::new();
    json::encode_response(response, &mut line);
    String::from_utf8(line).unwrap()
}

fn of_line(text: &str) -> Request {
    json::decode_request(text.as_bytes()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.split_ascii_whitespace().collect();
    digits
        .iter()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// The vectors of the reference (1.10): what is said in JSON, and the frame.
const REQUESTS: [(&str, &str); 2] = [
    (
        r#"{"spec":{"connectorType":"IMAGE","config":{}}}"#,
        "08 00 00 00 0a 06 08 07 12 02 7b 7d",
    ),
    (
        r#"{"acknowledge":{"checkpoints":2}}"#,
        "04 00 00 00 32 02 08 02",
    ),
];

const RESPONSES: [(&str, &str); 11] = [
    (
        r#"{"validated":{"bindings":[{"resourcePath":["a","b"]}]}}"#,
        "0a 00 00 00 1a 08 0a 06 0a 01 61 0a 01 62",
    ),
    (
        r#"{"applied":{"actionDescription":"ok"}}"#,
        "06 00 00 00 22 04 0a 02 6f 6b",
    ),
    (r#"{"opened":{}}"#, "02 00 00 00 2a 00"),
    (
        r#"{"opened":{"explicitAcknowledgements":true}}"#,
        "04 00 00 00 2a 02 08 01",
    ),
    (
        r#"{"captured":{"doc":{"a":1}}}"#,
        "0b 00 00 00 32 09 12 07 7b 22 61 22 3a 31 7d",
    ),
    (
        r#"{"captured":{"binding":3,"doc":{"a":1}}}"#,
        "0d 00 00 00 32 0b 08 03 12 07 7b 22 61 22 3a 31 7d",
    ),
    (r#"{"checkpoint":{}}"#, "02 00 00 00 3a 00"),
    (
        r#"{"checkpoint":{"state":{"updated":{"c":1},"mergePatch":true}}}"#,
        "0f 00 00 00 3a 0d 0a 0b 0a 07 7b 22 63 22 3a 31 7d 10 01",
    ),
    (
        r#"{"checkpoint":{"state":{"updated":{"c":1}}}}"#,
        "0d 00 00 00 3a 0b 0a 09 0a 07 7b 22 63 22 3a 31 7d",
    ),
    (
        r#"{"sourcedSchema":{"documentSchema":{"type":"object"}}}"#,
        "15 00 00 00 42 13 12 11 7b 22 74 79 70 65 22 3a 22 6f 62 6a 65 63 74 22 7d",
    ),
    (
        r#"{"backfillBegin":{"binding":1}}"#,
        "04 00 00 00 4a 02 08 01",
    ),
];

#[test]
fn requests_of_the_reference_are_written_and_read_as_it_says() {
    for (text, frame) in REQUESTS {
        let (request, frame) = (of_line(text), hex(frame));
        let mut out = Vec::new();
        encode_request(&request, &mut out).unwrap();
        assert_eq!(out, frame, "{text}");
        assert_eq!(line(&decode_request(&frame[4..]).unwrap()), line(&request));
    }
}

#[test]
fn responses_of_the_reference_are_written_and_read_as_it_says() {
    for (text, frame) in RESPONSES {
        let response = json::decode_response(text.as_bytes()).unwrap();
        let frame = hex(frame);
        let mut out = Vec::new();
        encode_response(&response, &mut out).unwrap();
        assert_eq!(out, frame, "{text}");
        let read = decode_response(&frame[4..]).unwrap();
        assert_eq!(line_said(&read), line_said(&response));
    }
}

#[test]
fn open_of_the_reference_is_read_as_it_says_and_written_with_its_capture() {
    let open = r#"{"open":{"version":"v1","range":{"keyEnd":4294967295,"rClockEnd":4294967295},"state":{}}}"#;
    let rest = "12 02 76 31 1a 0a 1d ff ff ff ff 2d ff ff ff ff 22 02 7b 7d";
    let frame = hex(&format!("2a 14 {rest}"));
    assert_eq!(line(&decode_request(&frame).unwrap()), line(&of_line(open)));
    // An absent capture reads as an empty one, which some peers want to see, so it is written: IMAGE, config `{}`.
    assert_eq!(
        written(&of_line(open)),
        hex(&format!("2a 1c 0a 06 10 07 1a 02 7b 7d {rest}"))
    );
}

#[test]
fn the_protocol_version_of_spec_is_that_of_the_reference() {
    let spec = r#"{"spec":{"protocol":3032023,"configSchema":{},"resourceConfigSchema":{},"documentationUrl":"u"}}"#;
    let said = said(&json::decode_response(spec.as_bytes()).unwrap());
    assert_eq!(said[2..7], hex("08 d7 87 b9 01"));
}

#[test]
fn a_document_is_the_same_frame_whether_it_was_ready_or_is_being_serialised() {
    for binding in [0, 1, 127, 128, u32::MAX] {
        for length in [
            2, 100, 118, 119, 120, 121, 127, 128, 129, 16_370, 16_383, 16_384, 3_000_000,
        ] {
            let document = format!("{{{}}}", " ".repeat(length - 2)).into_bytes();
            let (mut ready, mut serialised) = (b"before".to_vec(), b"before".to_vec());
            append_captured(binding, &document, &mut ready).unwrap();
            let start = serialised.len();
            begin_captured(binding, &mut serialised);
            serialised.extend_from_slice(&document);
            end_captured(binding, start, &mut serialised).unwrap();
            assert!(ready == serialised, "{binding} {length}");
            let body = body(ready[start..].to_vec());
            assert!(split_captured(&body) == Some((binding, &document[..])));
            let Response::Captured(read) = decode_response(&body).unwrap() else {
                panic!("no document");
            };
            assert!(read.binding == binding && read.doc.get().as_bytes() == document);
        }
    }
}

#[test]
fn a_document_that_is_too_long_is_refused_and_leaves_nothing_behind() {
    let most = crate::MAX_RESPONSE_BYTES;
    let mut document = vec![b' '; most - 10]; // Two keys, and two lengths of four bytes.
    document[0] = b'{';
    *document.last_mut().unwrap() = b'}';
    let mut out = Vec::new();
    append_captured(0, &document, &mut out).unwrap();
    assert_eq!(out.len(), most + 4);
    document.insert(1, b' ');
    for codec in [Codec::Proto, Codec::Json] {
        document.resize(most, b' ');
        let mut out = b"before".to_vec();
        let error = codec.append_captured(0, &document, &mut out).unwrap_err();
        assert_eq!(error.code(), "protocol.message_too_long");
        let begun = codec.begin_captured(0, &mut out);
        out.extend_from_slice(&document);
        assert_eq!(begun.end(&mut out).unwrap_err().code(), error.code());
        assert_eq!(out, b"before");
    }
}

#[test]
fn an_oddly_written_document_is_read_though_not_the_fast_way() {
    // The doc before the binding; lengths that are padded; a tag that is not known.
    let doc = "12 02 7b 7d";
    for odd in [
        format!("32 06 {doc} 08 01"),
        "32 88 80 00 08 81 00 12 82 00 7b 7d".to_owned(),
        format!("32 09 08 01 {doc} 9a 06 00"),
        format!("a2 06 01 78 32 06 08 01 {doc}"),
    ] {
        let frame = hex(&odd);
        let Ok(Response::Captured(captured)) = decode_response(&frame) else {
            panic!("{odd}");
        };
        assert_eq!((captured.binding, captured.doc.get()), (1, "{}"), "{odd}");
        if let Some(fast) = split_captured(&frame) {
            assert_eq!(fast, (1, &b"{}"[..]), "{odd}");
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_never_with_its_value() {
    let capture = |binding: &str| {
        let binding = hex(binding);
        let mut open = vec![0x22, binding.len() as u8];
        open.extend(binding);
        open.extend(hex("1a 02 7b 7d"));
        let mut request = vec![0x2a, open.len() as u8 + 2, 0x0a, open.len() as u8];
        request.extend(open);
        request
    };
    for (what, frame, expected) in [
        (
            "empty",
            vec![],
            "malformed request: it has no member that is known; exactly one must be set",
        ),
        (
            "unknown",
            hex("a2 06 00"),
            "malformed request: it has no member that is known; exactly one must be set",
        ),
        (
            "several",
            hex("32 00 0a 00 32 00"),
            "malformed request: 3 messages in one frame; exactly one must be set",
        ),
        (
            "cut off",
            hex("32 02 08"),
            "malformed request in `<tag 6>`: it is not protobuf: a length beyond the end of its message",
        ),
        (
            "cut off inside",
            hex("32 01 08"),
            "malformed request in `acknowledge.<tag 1>`: it is not protobuf: a number that is cut off",
        ),
        (
            "a group",
            hex("33"),
            "malformed request in `<tag 6>`: it is not protobuf: a wire type that this protocol has not",
        ),
        (
            "tag 0",
            hex("00 00"),
            "malformed request: it is not protobuf: a tag that cannot be",
        ),
        (
            "a number for a message",
            hex("30 01"),
            "malformed request in `<tag 6>`: it is not protobuf: a wire type that has no length",
        ),
        (
            "too large",
            hex("32 06 08 ff ff ff ff 1f"),
            "malformed request in `acknowledge.checkpoints`: expected an integer from 0 to 4294967295",
        ),
        (
            "twice",
            hex("32 04 08 01 08 01"),
            "malformed request in `acknowledge.<tag 1>`: it is not protobuf: a member that is given twice",
        ),
        (
            "no config",
            hex("12 02 1a 00"),
            "malformed request in `discover`: missing field `config`",
        ),
        (
            "a type that is not known",
            hex("12 06 08 09 12 02 7b 7d"),
            "malformed request in `discover.connectorType`: expected `IMAGE` (7) or `LOCAL` (8)",
        ),
        (
            "not JSON",
            hex("12 04 12 02 7b 31"),
            "malformed request in `discover.config`: it is not JSON: key must be a string",
        ),
        (
            "not UTF-8",
            hex("12 04 12 02 ff fe"),
            "malformed request in `discover.config`: it is not UTF-8",
        ),
        (
            "a binding without a collection",
            capture("0a 02 7b 7d"),
            "malformed request in `open.capture.bindings[0]`: missing field `collection`",
        ),
        (
            "an inference that is none",
            capture("0a 02 7b 7d 1a 09 42 02 7b 7d 32 03 32 01 08"),
            "malformed request in `open.capture.bindings[0].collection.projections[0].inference.<tag 1>`: \
             it is not protobuf: a number that is cut off",
        ),
    ] {
        assert_eq!(
            decode_request(&frame).unwrap_err().to_string(),
            expected,
            "{what}"
        );
    }
}

#[test]
fn what_is_left_out_of_a_request_has_its_default() {
    let Request::Open(open) = decode_request(&hex("2a 06 22 04 6e 75 6c 6c")).unwrap() else {
        panic!("not an open");
    };
    assert_eq!(open.state.get(), "{}", "a null state is unset");
    assert_eq!(open.range, crate::flow::RangeSpec::full());
    let Request::Spec(spec) = decode_request(&hex("0a 00")).unwrap() else {
        panic!("not a spec");
    };
    assert_eq!(spec.config.get(), "{}");
}

#[test]
fn what_is_no_such_message_in_json_cannot_be_written() {
    let spec = |oauth2| {
        let spec = json!({"spec": {
            "protocol": 3032023, "configSchema": {}, "resourceConfigSchema": {}, "documentationUrl": "u", "oauth2": oauth2,
        }});
        let text = spec.to_string();
        let mut out = b"before".to_vec();
        let written = encode_response(&json::decode_response(text.as_bytes()).unwrap(), &mut out);
        (written.map_err(|error| error.to_string()), out)
    };
    for (oauth2, problem) in [
        (
            json!([]),
            "`spec.oauth2` cannot be written as protobuf: expected an object",
        ),
        (
            json!({"accessTokenHeaders": "hunter2"}),
            "`spec.oauth2.accessTokenHeaders` cannot be written as protobuf: expected an object",
        ),
        (
            json!({"provider": 7}),
            "`spec.oauth2.provider` cannot be written as protobuf: expected a string",
        ),
    ] {
        assert_eq!(spec(oauth2), (Err(problem.to_owned()), b"before".to_vec()));
    }
    // Names of either kind, `null` for what is unset, and members that are not known.
    let (written, out) = spec(json!({"provider": null, "access_token_body": "b", "more": 1}));
    assert_eq!(written, Ok(()));
    assert!(out.ends_with(&hex("22 01 75 2a 03 22 01 62")), "{out:x?}");
}

#[test]
fn durations_are_seconds_with_up_to_nine_decimals() {
    let template = |duration: &str| {
        let template = json!({"maxTxnDuration": duration}).to_string();
        let raw = serde_json::value::RawValue::from_string(template).unwrap();
        let mut out = Vec::new();
        embedded::encode(&tables::SHARD_SPEC, &raw, &mut out).ok()?;
        Some(
            embedded::decode(&tables::SHARD_SPEC, &out)
                .unwrap()
                .get()
                .to_owned(),
        )
    };
    for (text, expected) in [
        ("60s", "60s"),
        ("62.25s", "62.250s"),
        ("0.000001s", "0.000001s"),
        ("-1.5s", "-1.500s"),
        ("-0.000000001s", "-0.000000001s"),
        ("0s", "0s"),
    ] {
        assert_eq!(
            template(text),
            Some(format!("{{\"maxTxnDuration\":\"{expected}\"}}")),
            "{text}"
        );
    }
    for bad in [
        "60",
        "s",
        "1m",
        ".5s",
        "1.s",
        "1.0000000001s",
        "+1s",
        "99999999999999999999s",
    ] {
        assert_eq!(template(bad), None, "{bad}");
    }
}

/// What protobuf does not carry, because its tag is not certain.
fn as_carried(mut request: Request) -> Request {
    if let Request::Apply(apply) = &mut request {
        apply.state = None;
    }
    request
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_request_that_is_written_and_read_is_the_same(request in samples::request(samples::as_a_message)) {
        let request = as_carried(request);
        let written = written(&request);
        let read = decode_request(&written).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(line(&read), line(&request));
    }

    #[test]
    fn a_response_that_is_written_and_read_is_the_same(response in samples::response(samples::as_a_message)) {
        let said = said(&response.lend());
        let read = decode_response(&said).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(line_said(&read), line_said(&response.lend()));
    }

    #[test]
    fn another_implementation_reads_a_request_and_writes_the_same_bytes(
        request in samples::request(samples::as_a_message),
    ) {
        let mut request = request;
        if let Request::Open(open) = &mut request {
            // Zeros are written here, since an end that is absent means the last one.
            open.range.key_end = open.range.key_end.max(1);
            open.range.r_clock_end = open.range.r_clock_end.max(1);
        }
        let written = written(&request);
        let read = oracle::Request::decode(&written[..]).unwrap();
        prop_assert_eq!(read.encode_to_vec(), written);
    }

    #[test]
    fn another_implementation_reads_a_response_and_writes_the_same_bytes(
        response in samples::response(samples::as_a_message),
    ) {
        let said = said(&response.lend());
        let read = oracle::Response::decode(&said[..]).unwrap();
        prop_assert_eq!(read.encode_to_vec(), said);
    }

    #[test]
    fn the_fast_way_says_what_the_other_says(
        binding in 0_u32..300, doc in samples::json(), at: prop::sample::Index, byte: u8, cut: bool,
    ) {
        let mut frame = said(&Response::Captured(crate::response::Captured { binding, doc: &doc }));
        let at = at.index(frame.len());
        if cut { frame.truncate(at) } else { frame[at] = byte }
        if let Some((binding, doc)) = split_captured(&frame)
            && serde_json::from_slice::<&serde_json::value::RawValue>(doc).is_ok()
        {
            let Ok(Response::Captured(read)) = decode_response(&frame) else {
                return Err(TestCaseError::fail("the frame is not that message"));
            };
            prop_assert_eq!(read.binding, binding);
            prop_assert_eq!(read.doc.get().as_bytes(), doc.trim_ascii());
        }
    }

    #[test]
    fn reading_a_damaged_frame_never_panics(
        request in samples::request(samples::as_a_message), response in samples::response(samples::as_a_message),
        at: prop::sample::Index, bytes: Vec<u8>,
    ) {
        for mut frame in [written(&request), said(&response.lend())] {
            let at = at.index(frame.len());
            let end = (at + bytes.len() / 2).min(frame.len());
            frame.splice(at..end, bytes.iter().copied());
            if let Err(error) = decode_request(&frame) { let _ = error.to_string(); }
            if let Err(error) = decode_response(&frame) { let _ = error.to_string(); }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = (decode_request(&bytes).is_ok(), decode_response(&bytes).is_ok(), split_captured(&bytes));
    }

    #[test]
    fn what_is_read_can_be_written_and_read_again(
        response in samples::response(samples::as_a_message), at: prop::sample::Index, byte: u8,
    ) {
        let mut frame = said(&response.lend());
        let at = at.index(frame.len());
        frame[at] = byte;
        if let Ok(read) = decode_response(&frame) {
            let said = said(&read);
            prop_assert_eq!(line_said(&decode_response(&said).unwrap()), line_said(&read));
        }
    }
}

#[test]
fn both_codecs_are_spoken_by_one_type() {
    assert_eq!("proto".parse(), Ok(Codec::Proto));
    assert_eq!("json".parse(), Ok(Codec::Json));
    for bad in ["", "JSON", "protobuf"] {
        let error = bad.parse::<Codec>().unwrap_err().to_string();
        assert!(error.contains("`json` or `proto`"), "{error}");
    }
    let request = Request::Acknowledge(request::Acknowledge { checkpoints: 2 });
    for codec in [Codec::Json, Codec::Proto] {
        let mut stream = Vec::new();
        codec.encode_request(&request, &mut stream).unwrap();
        codec.encode_request(&request, &mut stream).unwrap();
        let mut messages = crate::Messages::requests(codec, &stream[..]);
        for _ in 0..2 {
            let message = messages.next_message().unwrap().unwrap();
            assert_eq!(
                line(&codec.decode_request(message).unwrap()),
                line(&request)
            );
        }
        assert!(messages.next_message().unwrap().is_none());
    }
}
