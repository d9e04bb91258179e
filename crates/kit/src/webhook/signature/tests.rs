use hyper::header::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
    });
    let mut headers = HeaderMap::new();
    pairs.for_each(|(name, value)| {
        headers.append(name, value);
    });
    headers
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A request that a sender's documentation shows, or its libraries are tested with.
struct Vector {
    signature: Signature,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    signed_at: i64,
}

const SLACK_BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
    channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
    response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
    trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

const SENDGRID_BODY: &str = "[{\"email\":\"hello@world.com\",\"event\":\"dropped\",\"reason\":\"Bounced Address\",\
    \"sg_event_id\":\"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA\",\
    \"sg_message_id\":\"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0\",\
    \"smtp-id\":\"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>\",\"timestamp\":1600112492}]\r\n";

const SENDGRID_KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNN\
    RaINXvVpiglSI8eNEc6wEA3F+g==";

fn vectors() -> Vec<(&'static str, Vector)> {
    let vector = |signature, headers: &[_], body, signed_at| Vector {
        signature,
        headers: headers.to_vec(),
        body,
        signed_at,
    };
    vec![
        (
            "github",
            vector(
                Signature::github("It's a Secret to Everybody"),
                &[(
                    "X-Hub-Signature-256",
                    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
                )],
                "Hello, World!",
                0,
            ),
        ),
        (
            // RFC 2202, test case 2.
            "github with SHA-1",
            vector(
                Signature::github_sha1("Jefe"),
                &[(
                    "X-Hub-Signature",
                    "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
                )],
                "what do ya want for nothing?",
                0,
            ),
        ),
        (
            "shopify",
            vector(
                Signature::shopify("test-webhook-secret"),
                &[(
                    "X-Shopify-Hmac-Sha256",
                    "QNyObTlKbMx2qDlPF/ZOZcBqg5OgPg+2oky3zldc0Gw=",
                )],
                r#"{"id":1234567890,"email":"customer@example.com","total_price":"123.45"}"#,
                0,
            ),
        ),
        (
            "slack",
            vector(
                Signature::slack("8f742231b10e8888abcd99yyyzzz85a5"),
                &[
                    (
                        "X-Slack-Signature",
                        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
                    ),
                    ("X-Slack-Request-Timestamp", "1531420618"),
                ],
                SLACK_BODY,
                1_531_420_618,
            ),
        ),
        (
            "sendgrid",
            vector(
                Signature::sendgrid(SENDGRID_KEY).tolerance(TOLERANCE),
                &[
                    (
                        "X-Twilio-Email-Event-Webhook-Signature",
                        "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
                    ),
                    ("X-Twilio-Email-Event-Webhook-Timestamp", "1600112502"),
                ],
                SENDGRID_BODY,
                1_600_112_502,
            ),
        ),
        (
            "standard",
            vector(
                Signature::standard("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
                &[
                    ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                    ("webhook-timestamp", "1614265330"),
                    (
                        "webhook-signature",
                        "v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,x",
                    ),
                ],
                r#"{"test": 2432232314}"#,
                1_614_265_330,
            ),
        ),
        (
            // RFC 4231, test case 2: what is signed is `what do ya want for nothing?`.
            "a form of one's own",
            vector(
                Signature::hmac(
                    Hmac::sha256("x-sig")
                        .prefix("v1=")
                        .signs("what do ya want {body}"),
                    "Jefe",
                ),
                &[(
                    "x-sig",
                    "v1=5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843",
                )],
                "for nothing?",
                0,
            ),
        ),
    ]
}

#[test]
fn what_senders_publish_is_verified() {
    for (name, vector) in vectors() {
        assert_eq!(vector.signature.problems(), [], "{name}");
        let headers = headers(&vector.headers);
        let (body, now) = (vector.body.as_bytes(), at(vector.signed_at));
        assert_eq!(
            vector.signature.verify(&headers, body, now),
            Ok(()),
            "{name}"
        );
        let name = vector.signature.header().to_owned();
        let refused = vector.signature.verify(&headers, b"another", now);
        assert_eq!(refused, Err(Unverified::Mismatch(name)));
    }
}

#[test]
fn a_signature_with_one_byte_changed_anywhere_is_refused() {
    for (name, vector) in vectors() {
        for (at_header, (header, value)) in vector.headers.iter().enumerate() {
            for at_byte in 0..value.len() {
                let mut changed = value.as_bytes().to_vec();
                changed[at_byte] = if changed[at_byte] == b'5' { b'6' } else { b'5' };
                let changed = String::from_utf8(changed).unwrap();
                let mut pairs = vector.headers.clone();
                pairs[at_header] = (header, &changed);
                // Of several signatures one suffices.
                let is_same = *header == "webhook-signature"
                    && changed.contains(" v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= ");
                let now = at(vector.signed_at);
                let verified =
                    vector
                        .signature
                        .verify(&headers(&pairs), vector.body.as_bytes(), now);
                assert_eq!(verified.is_ok(), is_same, "{name}: {header}: {changed}");
            }
        }
    }
}

/// What Stripe's header is of a request at this second.
fn stripe_header(secrets: &[&str], second: i64, body: &str) -> String {
    let mut header = format!("t={second}");
    for secret in secrets {
        let key = Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let tag = aws_lc_rs::hmac::sign(&key, format!("{second}.{body}").as_bytes());
        let hex: String = tag
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        header.push_str(&format!(",v1={hex}"));
    }
    header + ",v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
}

#[test]
fn stripe_signs_with_several_secrets_and_ours_may_be_any_of_them() {
    let signature = Signature::stripe("whsec_new").or("whsec_old");
    let verify = |header: &str| {
        let headers = headers(&[("Stripe-Signature", header)]);
        signature.verify(&headers, b"{}", at(1_492_774_577))
    };
    let header = |secrets: &[&str]| stripe_header(secrets, 1_492_774_577, "{}");
    assert_eq!(verify(&header(&["whsec_new"])), Ok(()));
    assert_eq!(verify(&header(&["whsec_old"])), Ok(()));
    assert_eq!(verify(&header(&["whsec_other", "whsec_old"])), Ok(()));
    let name = || "stripe-signature".to_owned();
    assert_eq!(
        verify(&header(&["whsec_other"])),
        Err(Unverified::Mismatch(name()))
    );
    let time_changed = header(&["whsec_new"]).replace("t=1492774577", "t=1492774578");
    assert_eq!(verify(&time_changed), Err(Unverified::Mismatch(name())));
    for malformed in [
        "",
        "t=1",
        "v1=00",
        "t=1492774577,t=1492774577,v1=00",
        "t=1492774577,v1=zz",
        "t",
        "t=now,v1=00",
    ] {
        assert_eq!(
            verify(malformed),
            Err(Unverified::Malformed(name())),
            "{malformed}"
        );
    }
}

#[test]
fn a_request_is_as_old_as_the_tolerance_allows_either_way_and_no_older() {
    for (name, vector) in vectors()
        .into_iter()
        .filter(|(_, vector)| vector.signed_at > 0)
    {
        let headers = headers(&vector.headers);
        for (offset, is_taken) in [
            (0, true),
            (300, true),
            (-300, true),
            (301, false),
            (-301, false),
            (1 << 40, false),
        ] {
            let now = Timestamp::from_second(vector.signed_at + offset).unwrap_or(Timestamp::MAX);
            let verified = vector
                .signature
                .verify(&headers, vector.body.as_bytes(), now);
            let expected = if is_taken {
                Ok(())
            } else {
                Err(Unverified::Stale { tolerance: 300 })
            };
            assert_eq!(verified, expected, "{name} after {offset} s");
        }
        let wider = vector.signature.tolerance(Duration::from_secs(3_600));
        let now = at(vector.signed_at + 3_600);
        assert_eq!(wider.verify(&headers, vector.body.as_bytes(), now), Ok(()));
    }
}

#[test]
fn sendgrid_has_no_tolerance_of_its_own() {
    let (_, vector) = vectors().swap_remove(4);
    let signature = Signature::sendgrid(SENDGRID_KEY);
    let headers = headers(&vector.headers);
    assert_eq!(
        signature.verify(&headers, SENDGRID_BODY.as_bytes(), at(1_800_000_000)),
        Ok(())
    );
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n",
        &SENDGRID_KEY[..64],
        &SENDGRID_KEY[64..]
    );
    let rotated = Signature::sendgrid(pem);
    assert_eq!(rotated.problems(), []);
    assert_eq!(
        rotated.verify(&headers, SENDGRID_BODY.as_bytes(), at(0)),
        Ok(())
    );
}

#[test]
fn headers_that_are_missing_or_there_twice_are_told() {
    for (name, vector) in vectors() {
        for (header, value) in &vector.headers {
            let lower = header.to_ascii_lowercase();
            let others = vector.headers.iter().filter(|(other, _)| other != header);
            let mut pairs: Vec<(&str, &str)> = others.copied().collect();
            let now = at(vector.signed_at);
            let missing = vector
                .signature
                .verify(&headers(&pairs), vector.body.as_bytes(), now);
            assert_eq!(missing, Err(Unverified::Missing(lower.clone())), "{name}");
            pairs.extend([(*header, *value), (*header, *value)]);
            let twice = vector
                .signature
                .verify(&headers(&pairs), vector.body.as_bytes(), now);
            assert_eq!(twice, Err(Unverified::Malformed(lower)), "{name}");
        }
    }
}

#[test]
fn a_token_is_taken_as_it_is_and_no_other() {
    let bearer = Signature::bearer("hunter2").or("hunter3");
    let plain = Signature::token("X-Gitlab-Token", "", "hunter2");
    let verify = |signature: &Signature, header, value| {
        signature.verify(&headers(&[(header, value)]), b"{}", at(0))
    };
    for value in ["Bearer hunter2", "bearer hunter3"] {
        assert_eq!(verify(&bearer, "Authorization", value), Ok(()));
    }
    for value in [
        "Bearer hunter",
        "Bearer hunter22",
        "Bearer  hunter2",
        "Bearer Hunter2",
    ] {
        let name = "authorization".to_owned();
        assert_eq!(
            verify(&bearer, "Authorization", value),
            Err(Unverified::Mismatch(name))
        );
    }
    for value in ["hunter2", "Basic hunter2", "", "Béarer hunter2"] {
        assert!(verify(&bearer, "Authorization", value).is_err());
    }
    assert_eq!(verify(&plain, "x-gitlab-token", "hunter2"), Ok(()));
    assert!(verify(&plain, "x-gitlab-token", "").is_err());
}

#[test]
fn a_signature_that_could_verify_nothing_says_so_and_verifies_nothing() {
    let template = |template: &str, problem| SignatureError::Template {
        template: template.to_owned(),
        problem,
    };
    for (signature, expected) in [
        (Signature::github(""), vec![SignatureError::EmptySecret]),
        (
            Signature::github("x").or(" "),
            vec![SignatureError::EmptySecret],
        ),
        (Signature::bearer(""), vec![SignatureError::EmptySecret]),
        (Signature::standard("whsec_?"), vec![SignatureError::Secret]),
        (Signature::sendgrid("x"), vec![SignatureError::PublicKey]),
        (
            Signature::sendgrid(&SENDGRID_KEY[..80]),
            vec![SignatureError::PublicKey],
        ),
        (
            Signature::token("a b", "", "x"),
            vec![SignatureError::Header("a b".into())],
        ),
        (
            Signature::hmac(Hmac::sha256("a b").signs("x").timestamp("c d"), ""),
            vec![
                SignatureError::Header("a b".into()),
                template("x", "must hold `{body}` once"),
                SignatureError::Header("c d".into()),
                SignatureError::EmptySecret,
            ],
        ),
        (
            Signature::hmac(Hmac::sha256("x-sig").timestamp("x-time"), "x"),
            vec![template(
                "without `{header:x-time}`",
                "does not hold the time, which anybody could then change; add it",
            )],
        ),
    ] {
        assert_eq!(signature.problems(), expected);
        let refused = signature.verify(&HeaderMap::new(), b"", at(0));
        assert_eq!(refused, Err(Unverified::Unusable));
    }
}

#[test]
fn no_secret_is_shown() {
    let secret = "hunter2hunter2hunter2";
    for signature in [
        Signature::github(secret),
        Signature::stripe(secret),
        Signature::bearer(secret),
        Signature::standard(secret),
        Signature::sendgrid(secret),
        Signature::token(secret, secret, secret),
    ] {
        let shown = format!("{signature:?}");
        let is_header = signature.header() == secret; // It was given as a name.
        assert!(is_header || !shown.contains("hunter"), "{shown}");
        assert!(
            signature
                .problems()
                .iter()
                .all(|problem| !problem.to_string().contains("hunter"))
        );
    }
}

proptest! {
    #[test]
    fn what_is_signed_with_a_secret_is_verified_with_it_and_with_no_other(
        secret in "[ -~]{1,80}", other in "[ -~]{1,80}", body in prop::collection::vec(any::<u8>(), 0..200), flip in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!secret.trim().is_empty() && !other.trim().is_empty());
        let tag = |secret: &str, body: &[u8]| aws_lc_rs::hmac::sign(&Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes()), body);
        let header = BASE64.encode(tag(&secret, &body));
        let headers = headers(&[("x-shopify-hmac-sha256", &header)]);
        prop_assert_eq!(Signature::shopify(&secret).verify(&headers, &body, at(0)), Ok(()));
        prop_assert_eq!(Signature::shopify(&other).or(&secret).verify(&headers, &body, at(0)), Ok(()));
        prop_assert_eq!(Signature::shopify(&other).verify(&headers, &body, at(0)).is_ok(), tag(&other, &body).as_ref() == tag(&secret, &body).as_ref());
        if !body.is_empty() {
            let mut changed = body.clone();
            changed[flip.index(body.len())] ^= 1;
            prop_assert!(Signature::shopify(&secret).verify(&headers, &changed, at(0)).is_err());
        }
    }

    #[test]
    fn no_header_makes_verifying_panic(header in "\\PC{0,80}", time in "\\PC{0,20}") {
        let mut headers = HeaderMap::new();
        for signature in vectors().into_iter().map(|(_, vector)| vector.signature).chain([Signature::stripe("x"), Signature::bearer("x")]) {
            if let (Ok(header), Ok(time)) = (HeaderValue::from_str(&header), HeaderValue::from_str(&time)) {
                let name: HeaderName = signature.header().parse().unwrap();
                headers.insert("x-slack-request-timestamp", time.clone());
                headers.insert("webhook-timestamp", time.clone());
                headers.insert(&SENDGRID_TIME, time);
                headers.insert(name, header);
            }
            let verified = signature.verify(&headers, b"{}", at(0));
            prop_assert!(verified.is_err());
        }
    }
}
