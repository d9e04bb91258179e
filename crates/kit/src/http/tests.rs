#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::capture::error_chain;

const SECRET: &str = "hunter2-hunter2";

/// A server that answers every request with the same bytes, and then closes the connection.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn answering(answer: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::answering_each(vec![answer]).await
    }

    /// Answers one after the other, the last one from then on.
    async fn answering_each<A: AsRef<[u8]> + Send + Sync + 'static>(answers: Vec<A>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        tokio::spawn(async move {
            let next = AtomicUsize::new(0);
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read_request(&mut stream).await;
                heard.lock().unwrap().push(request);
                let at = next.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
                // A client that has heard enough hangs up.
                let _ = stream.write_all(answers[at].as_ref()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let is_whole = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return false;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        length.is_none_or(|length| body.len() >= length.parse().unwrap())
    };
    while !is_whole(&bytes) && stream.read_buf(&mut bytes).await.unwrap() > 0 {}
    String::from_utf8(bytes).unwrap()
}

fn answer(head: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn client() -> Client {
    Client::new()
}

/// All that anybody could be shown of an error.
fn shown(error: &HttpError) -> String {
    format!("{} {error:?}", error_chain(error))
}

#[tokio::test]
async fn a_question_goes_out_as_it_was_put_and_its_answer_is_read() {
    let answer = answer("201 Created\r\nx-page: 7", r#"{"epoch":12}"#);
    let server = Server::answering(answer).await;
    let asked = client()
        .post(format!("{}/v1/epoch?a=1", server.url))
        .query("q", "ä b&c")
        .header("x-account", "acme")
        .bearer(SECRET)
        .json(&json!({"of": "items"}));
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.header("X-Page"), Some("7"));
    assert_eq!(answer.bytes(), br#"{"epoch":12}"#);
    assert_eq!(answer.json::<Value>().unwrap(), json!({"epoch": 12}));
    let request = &server.requests()[0];
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /v1/epoch?a=1&q=%C3%A4+b%26c HTTP/1.1"),
        "{head}"
    );
    for header in [
        "x-account: acme",
        "authorization: Bearer hunter2-hunter2",
        "content-type: application/json",
        "accept-encoding: identity",
        concat!("user-agent: staunch/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.lines().any(|line| line == header), "{header}: {head}");
    }
    assert_eq!(body, r#"{"of":"items"}"#);
}

#[tokio::test]
async fn a_refusal_says_what_was_asked_and_how_the_answer_begins() {
    let body = format!("no\u{1b}[31m such\n thing: {}", "x".repeat(600));
    let mut bytes = answer("404 Not Found\r\ncontent-type: text/plain", &body).into_bytes();
    let at = bytes.len() - 600;
    bytes[at] = 0xff; // Not UTF-8.
    let server = Server::answering(bytes).await;
    let error = client().get(format!("{}/things/1", server.url));
    let error = error.send().await.unwrap_err();
    let url = format!("{}/things/1", server.url);
    match &error {
        HttpError::Status {
            asked,
            status,
            content_type,
            excerpt,
        } => {
            assert_eq!((&*asked.method, &*asked.url), ("GET", &*url));
            assert_eq!((*status, &**content_type), (404, "text/plain"));
            assert!(
                excerpt.starts_with("no [31m such  thing: \u{fffd}x"),
                "{excerpt}"
            );
            assert_eq!(excerpt.chars().count(), 500);
        }
        other => panic!("{other:?}"),
    }
    let text = error.to_string();
    let expected =
        format!("`GET {url}` was answered with status 404; check that it is still there");
    assert!(text.starts_with(&expected), "{text}");
}

#[tokio::test]
async fn no_secret_of_a_request_is_in_what_is_said_of_it() {
    let said = format!("no {SECRET}, no hunter2%2Fhunter2 and no hunter2/hunter2");
    let refusal = answer("401 Unauthorized", &said);
    let elsewhere = format!("302 Found\r\nlocation: http://u:{SECRET}@example.com/x?k={SECRET}#f");
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned();
    let text = answer("200 OK", &format!("\"{SECRET}\""));
    for answer in [
        refusal,
        answer(&elsewhere, ""),
        cut,
        text,
        "nonsense".to_owned(),
    ] {
        let server = Server::answering(answer.clone()).await;
        let host = server.url.strip_prefix("http://").unwrap();
        let request = client()
            .get(format!(
                "http://user:{SECRET}@{host}/a?token={SECRET}#{SECRET}"
            ))
            .query("key", "hunter2/hunter2")
            .header("x-key", SECRET)
            .bearer(SECRET);
        let request_shown = format!("{request:?}");
        assert!(!request_shown.contains("hunter2"), "{request_shown}");
        let (response, error) = match request.send().await {
            Ok(response) => (format!("{response:?}"), response.json::<u64>().unwrap_err()),
            Err(error) => (String::new(), error),
        };
        let shown = response + &shown(&error);
        assert!(shown.contains(&format!("{}/a", server.url)), "{shown}");
        assert!(!shown.contains("hunter2"), "{answer}: {shown}");
        assert_eq!(server.requests().len(), 1);
    }
    let unreachable = client().get(format!("http://127.0.0.1:1/a?token={SECRET}"));
    let error = unreachable.send().await.unwrap_err();
    assert!(matches!(error, HttpError::Broken { .. }), "{error:?}");
    assert!(!shown(&error).contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_says_why_and_no_value() {
    let url = format!("http://127.0.0.1:1/?k={SECRET}");
    for (request, expected) in [
        (
            client().get(format!("ftp://x/{SECRET}")),
            "neither `http` nor `https`",
        ),
        (client().get(format!("http://[{SECRET}")), "the URL is none"),
        (
            client().get(&url).header("a b", SECRET),
            "a name that no header can have",
        ),
        (
            client().get(&url).header("x-key", format!("{SECRET}\n")),
            "header `x-key`",
        ),
    ] {
        let error = request.query("a", 1).send().await.unwrap_err();
        assert!(matches!(error, HttpError::Malformed { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!shown(&error).contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_an_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nconte",
    ] {
        let server = Server::answering(answer).await;
        let error = client().get(&server.url).send().await.unwrap_err();
        assert!(
            matches!(error, HttpError::Broken { .. }),
            "{answer}: {error:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_refused_whether_or_not_it_is_announced() {
    let announced = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
        MAX_BODY_BYTES + 1
    );
    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    endless.resize(endless.len() + MAX_BODY_BYTES + 1, b'x');
    for answer in [announced.into_bytes(), endless] {
        let server = Server::answering(answer).await;
        let error = client().get(&server.url).send().await.unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_encoded_answer_is_not_taken_for_what_it_encodes() {
    let server = Server::answering(answer("200 OK\r\ncontent-encoding: gzip", "zzz")).await;
    let error = client().get(&server.url).send().await.unwrap_err();
    assert!(matches!(error, HttpError::Encoded { .. }), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_followed_on_the_same_host_and_nowhere_else() {
    let there = answer("302 Found\r\nlocation: /there?again=1", "");
    let server = Server::answering_each(vec![there, answer("200 OK", "7")]).await;
    let asked = client()
        .get(format!("{}/here?k={SECRET}", server.url))
        .bearer(SECRET);
    let answered = asked.send().await.unwrap();
    assert_eq!(answered.json::<u64>().unwrap(), 7);
    let requests = server.requests();
    assert!(
        requests[1].starts_with("GET /there?again=1 "),
        "{requests:?}"
    );
    assert!(
        requests[1].contains("authorization: Bearer"),
        "{requests:?}"
    );
    assert!(!requests[1].contains("referer"), "{requests:?}");

    let other = Server::answering(answer("200 OK", "7")).await;
    let location = format!("302 Found\r\nlocation: {}/x?k={SECRET}", other.url);
    let server = Server::answering(answer(&location, "")).await;
    let error = client().get(&server.url).send().await.unwrap_err();
    match &error {
        HttpError::Redirected { to, .. } => assert_eq!(*to, format!("{}/x", other.url)),
        other => panic!("{other:?}"),
    }
    assert_eq!(other.requests().len(), 0, "another host is not asked");
}

#[tokio::test]
async fn redirects_that_go_on_and_on_come_to_an_end() {
    let server = Server::answering(answer("307 Temporary Redirect\r\nlocation: /", "")).await;
    let error = client().get(&server.url).send().await.unwrap_err();
    assert!(matches!(error, HttpError::Redirected { .. }), "{error:?}");
    assert_eq!(server.requests().len(), 1 + MAX_REDIRECTS);
}

#[test]
fn tls_is_spoken_by_one_provider() {
    use_provider();
    let provider = rustls::crypto::CryptoProvider::get_default().unwrap();
    let name = format!("{:?}", provider.secure_random);
    assert!(name.contains("AwsLc"), "{name}");
}
