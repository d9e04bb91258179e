//! What is said of a question that got no answer to go on with, and what is not.

use std::fmt::Debug;

use staunch::http::{Client, HttpError, Method, Request, Retry};
use staunch_net_tests::faults::{Answer, Fault, FaultServer};

use crate::asking::{once, patient, read, serve, shown};

const SECRET: &str = "hunter2-hunter2";

#[tokio::test]
async fn a_refusal_says_status_address_kind_and_how_it_begins() {
    let utf16: Vec<u8> = "\u{feff}zu gro\u{df}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let xs = "x".repeat(3000);
    for (content_type, body, excerpt) in [
        (
            "application/json",
            br#"{"message":"no"}"#.to_vec(),
            r#"{"message":"no"}"#,
        ),
        ("text/plain; charset=utf-8", "zu groß".into(), "zu groß"),
        (
            "text/html; charset=ISO-8859-1",
            b"zu gro\xdf".to_vec(),
            "zu groß",
        ),
        ("text/plain; charset=\"utf-16\"", utf16, "zu groß"),
        ("text/plain", b"zu gro\xdf".to_vec(), "zu gro\u{fffd}"),
        (
            "text/plain; charset=nonsense",
            b"\xff\xfd".to_vec(),
            "\u{fffd}\u{fffd}",
        ),
        (
            "text/plain",
            b"\x1b[31mred\x07\r\n\tblue\x00".to_vec(),
            " [31mred    blue ",
        ),
        ("text/plain", xs.clone().into(), &xs[..500]),
        ("text/plain", "ß".repeat(3000).into(), &"ß".repeat(500)),
        ("image/png", Vec::new(), ""),
    ] {
        let server = serve([Answer::new(422, body).header("content-type", content_type)]).await;
        let error = once(&server)
            .get("things?q=1#part")
            .send()
            .await
            .unwrap_err();
        let refusal = error.refusal().unwrap();
        assert_eq!((error.status(), refusal.status()), (Some(422), 422));
        assert_eq!(refusal.asked().method, "GET");
        assert_eq!(refusal.asked().url, format!("{}/things", server.url()));
        assert_eq!(refusal.header("content-type"), Some(content_type));
        assert_eq!(refusal.excerpt(), excerpt);
        let text = error.to_string();
        let begins = format!(
            "`GET {}/things` was answered with status 422; ",
            server.url()
        );
        assert!(text.starts_with(&begins), "{text}");
        assert_eq!(text.contains(content_type), !excerpt.is_empty(), "{text}");
        assert!(text.ends_with(excerpt) && !text.contains('\n'), "{text}");
    }
}

#[tokio::test]
async fn a_refusal_can_be_read_and_is_found_in_what_was_given_up() {
    let busy = Answer::new(503, r#"{"code":"E17"}"#).header("x-request", "abc");
    let server = serve([busy]).await;
    let error = patient(&server).get("/").send().await.unwrap_err();
    assert!(
        matches!(error, HttpError::GivenUp { tries: 4, .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().starts_with("asked 4 times in 0 s"),
        "{error}"
    );
    let refusal = error.refusal().unwrap();
    let body: serde_json::Value = refusal.json().unwrap();
    assert_eq!(
        (body["code"].as_str(), refusal.header("X-Request")),
        (Some("E17"), Some("abc"))
    );
    assert!(matches!(refusal.json::<u64>(), Err(HttpError::Json { .. })));
}

/// A question that is full of secrets.
fn secretive(client: &Client, host: &str, method: Method) -> Request {
    client
        .request(
            method,
            format!("http://user:{SECRET}@{host}/a?token={SECRET}&k=a%2B{SECRET}#{SECRET}"),
        )
        .query("key", format!("{SECRET} & more"))
        .header("x-key", SECRET)
        .header("cookie", format!("session={SECRET}"))
        .bearer(SECRET)
}

fn is_told_nothing(what: &str, of: &impl Debug, text: &str) {
    let debug = format!("{of:?}");
    for shown in [text, &debug] {
        assert!(!shown.contains("hunter2"), "{what}: {shown}");
    }
}

#[tokio::test]
async fn no_secret_of_a_question_is_in_what_is_said_of_it() {
    // A server that repeats all that it was told, in each way in which it can be refused.
    let repeat = |asked: &staunch_net_tests::faults::Asked| {
        let body = String::from_utf8_lossy(&asked.body);
        format!(
            "no {} {:?} {body} in \"{SECRET}\" {SECRET}{SECRET}",
            asked.target, asked.headers
        )
    };
    for (what, status, fault) in [
        ("refused", 400, Fault::None),
        ("not authorised", 401, Fault::Chunks),
        ("failed", 500, Fault::UntilClosed),
        ("refused and cut", 403, Fault::HalfBody),
        ("cut", 200, Fault::HalfBody),
        ("nonsense", 200, Fault::Garbage),
        ("not JSON", 200, Fault::None),
    ] {
        let server =
            FaultServer::start(move |asked| Answer::new(status, repeat(asked)).fault(fault)).await;
        let host = server.url().strip_prefix("http://").unwrap();
        for method in [Method::GET, Method::POST] {
            let request = secretive(&once(&server), host, method).form(&[("password", SECRET)]);
            is_told_nothing(what, &request, "");
            let error = match request.send().await {
                Ok(response) => {
                    is_told_nothing(what, &response, "");
                    response.json::<u64>().unwrap_err()
                }
                Err(error) => error,
            };
            is_told_nothing(what, &error, &shown(&error));
            let request = secretive(&once(&server), host, Method::GET);
            if let Ok(streamed) = request.stream().await {
                is_told_nothing(what, &streamed, "");
                if let Err(error) = read(streamed).await.1 {
                    is_told_nothing(what, &error, &shown(&error));
                }
            }
        }
    }
}

#[tokio::test]
async fn no_secret_is_told_of_what_was_never_asked() {
    let secretive = secretive(
        &Client::builder().retry(Retry::never()).build(),
        "127.0.0.1:1",
        Method::GET,
    );
    let error = secretive.send().await.unwrap_err();
    assert!(matches!(error, HttpError::Unreached { .. }), "{error:?}");
    is_told_nothing("unreached", &error, &shown(&error));

    let base = format!("http://user:{SECRET}@127.0.0.1:1/?k={SECRET}");
    let client = Client::builder()
        .base_url(&base)
        .header("x-key", SECRET)
        .user_agent(SECRET);
    is_told_nothing("a builder", &client, "");
    is_told_nothing("a client", &client.build(), "");
    for base in [
        format!("//{SECRET}"),
        format!("ftp://{SECRET}"),
        format!("http://[{SECRET}"),
    ] {
        let error = Client::builder()
            .base_url(base)
            .build()
            .get("x")
            .send()
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::Malformed { .. }), "{error:?}");
        is_told_nothing("a base that is none", &error, &shown(&error));
    }
    let client = Client::new();
    for request in [
        client.get(format!("{SECRET}://x")),
        client
            .get(&base)
            .header("x-key", format!("{SECRET}\r\nx: y")),
        client.get(&base).header(&format!("{SECRET} {SECRET}"), "x"),
        client.get(&base).bearer(format!("{SECRET}\n")),
    ] {
        let error = request.send().await.unwrap_err();
        assert!(matches!(error, HttpError::Malformed { .. }), "{error:?}");
        is_told_nothing("a request that is none", &error, &shown(&error));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_told_by_its_place_and_not_by_its_values() {
    #[derive(Debug, serde::Deserialize)]
    struct Page {
        #[allow(dead_code)]
        total: u64,
    }
    for (body, expected) in [
        (format!("{{\"total\": \"{SECRET}\"}}"), "line 1"),
        (format!("{{\n \"{SECRET}\": 1}}"), "`total`"),
        (format!("{{\"total\": 1}} {SECRET}"), "line 1"),
        (format!("<html>{SECRET}</html>"), "line 1"),
        (String::new(), ""),
    ] {
        let server = serve([Answer::new(200, body)]).await;
        let answer = once(&server).get("page?k=hunter2").send().await.unwrap();
        let error = answer.json::<Page>().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        is_told_nothing("JSON", &error, &shown(&error));
    }
    let server = serve([Answer::new(200, "\u{feff}{\"total\": 7}")]).await;
    once(&server)
        .get("")
        .send()
        .await
        .unwrap()
        .json::<Page>()
        .unwrap();
}
