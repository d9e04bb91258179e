#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

/// One that asks once.
fn client() -> Client {
    Client::builder().retry(Retry::never()).build()
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
        "accept-encoding: zstd, br, gzip, deflate",
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
    let refusal = error.refusal().unwrap();
    let asked = refusal.asked();
    assert_eq!((&*asked.method, &*asked.url), ("GET", &*url));
    assert_eq!(refusal.status(), 404);
    assert_eq!(refusal.header("Content-Type"), Some("text/plain"));
    let excerpt = refusal.excerpt();
    assert!(
        excerpt.starts_with("no [31m such  thing: \u{fffd}x"),
        "{excerpt}"
    );
    assert_eq!(excerpt.chars().count(), 500);
    let text = error.to_string();
    let expected =
        format!("`GET {url}` was answered with status 404; check that it is still there");
    assert!(text.starts_with(&expected), "{text}");
}

#[tokio::test]
async fn no_secret_of_a_request_is_in_what_is_said_of_it() {
    let said = format!("no {SECRET}, no hunter2%2Fhunter2 and no hunter2/hunter2");
    let refusal = answer("401 Unauthorized", &said);
    let elsewhere = format!("302 Found\r\nlocation: http://u:{SECRET}@127.0.0.1:1/x?k={SECRET}#f");
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
        let is_elsewhere = answer.contains("location");
        assert!(
            is_elsewhere || shown.contains(&format!("{}/a", server.url)),
            "{shown}"
        );
        assert!(!shown.contains("hunter2"), "{answer}: {shown}");
        assert_eq!(server.requests().len(), 1);
    }
    let unreachable = client().get(format!("http://127.0.0.1:1/a?token={SECRET}"));
    let error = unreachable.send().await.unwrap_err();
    assert!(matches!(error, HttpError::Unreached { .. }), "{error:?}");
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
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 100001\r\n\r\n";
    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    endless.resize(endless.len() + 100_001, b'x');
    let client = client().scoped().max_body_bytes(100_000).build();
    for answer in [announced.as_bytes().to_vec(), endless] {
        let server = Server::answering(answer).await;
        let error = client.get(&server.url).send().await.unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_encoded_answer_is_decoded_or_is_an_error() {
    let server = Server::answering(answer("200 OK\r\ncontent-encoding: gzip", "zzz")).await;
    let error = client().get(&server.url).send().await.unwrap_err();
    assert!(matches!(error, HttpError::Broken { .. }), "{error:?}");
    let unknown = answer("200 OK\r\ncontent-encoding: lzma", "zzz");
    let server = Server::answering(unknown).await;
    let error = client().get(&server.url).send().await.unwrap_err();
    assert!(matches!(error, HttpError::Encoded { .. }), "{error:?}");
    assert!(error.to_string().contains("`lzma`"), "{error}");
}

#[tokio::test]
async fn a_redirect_takes_secrets_along_on_the_same_host_only() {
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
    let client = client().scoped().header("x-key", SECRET).build();
    let asked = client.get(&server.url).bearer(SECRET).send().await;
    assert_eq!(asked.unwrap().json::<u64>().unwrap(), 7);
    let [request] = &other.requests()[..] else {
        panic!("another host is asked once")
    };
    let headers = request.split_once("\r\n").unwrap().1;
    assert!(!headers.contains("hunter2"), "{request}");

    let error = client.post(&server.url).as_read().send().await;
    assert_eq!(
        error.unwrap().json::<u64>().unwrap(),
        7,
        "a 302 makes it a `GET`"
    );
    let location = format!("307 Found\r\nlocation: {}/x?k={SECRET}", other.url);
    let server = Server::answering(answer(&location, "")).await;
    let error = client.post(&server.url).send().await.unwrap_err();
    match &error {
        HttpError::Redirected { to, .. } => assert_eq!(*to, format!("{}/x", other.url)),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        other.requests().len(),
        2,
        "nothing is posted to another host"
    );
}

#[tokio::test]
async fn redirects_that_go_on_and_on_come_to_an_end() {
    let server = Server::answering(answer("307 Temporary Redirect\r\nlocation: /", "")).await;
    let error = client().get(&server.url).send().await.unwrap_err();
    assert!(matches!(error, HttpError::Redirected { .. }), "{error:?}");
    assert_eq!(server.requests().len(), 1 + redirect::MAX_REDIRECTS);
}

/// What asks again soon.
fn patient() -> Client {
    let pause = Duration::from_millis(1);
    let retry = Retry::default().tries(3).pauses(pause, pause);
    Client::builder().retry(retry).build()
}

#[tokio::test]
async fn what_may_pass_is_asked_again_until_it_passes_or_the_tries_are_over() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}".to_owned();
    let fails = answer("503 Service Unavailable", "");
    let seven = answer("200 OK", "7");
    let answers = vec![cut.clone(), fails.clone(), seven.clone()];
    let server = Server::answering_each(answers).await;
    let answered = patient().get(&server.url).send().await.unwrap();
    assert_eq!(answered.json::<u64>().unwrap(), 7);
    assert_eq!(server.requests().len(), 3);

    let server = Server::answering(fails.clone()).await;
    let error = patient().get(&server.url).send().await.unwrap_err();
    assert!(error.to_string().starts_with("asked 3 times in"), "{error}");
    assert_eq!((error.status(), server.requests().len()), (Some(503), 3));

    let many = answer("429 Too Many Requests", "");
    let answers = vec![many.clone(), many.clone(), many.clone(), many, seven];
    let server = Server::answering_each(answers).await;
    patient().post(&server.url).send().await.unwrap();
    assert_eq!(server.requests().len(), 5, "those are no failures");
}

#[tokio::test]
async fn what_may_have_been_done_is_not_asked_again_unless_it_only_reads() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}".to_owned();
    for failure in [cut, answer("502 Bad Gateway", "")] {
        let answers = vec![failure, answer("200 OK", "7")];
        let server = Server::answering_each(answers.clone()).await;
        patient().post(&server.url).send().await.unwrap_err();
        assert_eq!(server.requests().len(), 1);
        let server = Server::answering_each(answers).await;
        patient().post(&server.url).as_read().send().await.unwrap();
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_judge_says_what_an_answer_is() {
    let judge = |answer: &Response| match answer.bytes() {
        b"busy" => Verdict::Throttled,
        b"ill" => Verdict::Retry,
        b"no" => Verdict::Refuse("there is none; ask for another".into()),
        b"gone" => Verdict::Accept,
        _ => Verdict::AsUsual,
    };
    let client = patient().scoped().judge(judge).build();
    let answers = ["busy", "ill", "7"].map(|body| answer("200 OK", body));
    let server = Server::answering_each(answers.to_vec()).await;
    let answered = client.post(&server.url).send().await.unwrap();
    assert_eq!((answered.text(), server.requests().len()), ("7".into(), 3));

    let server = Server::answering(answer("200 OK", "no")).await;
    let error = client.get(&server.url).send().await.unwrap_err();
    assert!(error.to_string().contains("there is none"), "{error}");
    let server = Server::answering(answer("404 Not Found", "gone")).await;
    let answered = client.get(&server.url).send().await.unwrap();
    assert_eq!(answered.status(), 404);
}

#[tokio::test]
async fn a_client_of_an_account_asks_its_own_host_with_its_own_headers() {
    let home = Server::answering(answer("200 OK", "7")).await;
    let other = Server::answering(answer("200 OK", "7")).await;
    let base = format!("{}/v2", home.url);
    let client = patient()
        .scoped()
        .base_url(base)
        .header("x-key", SECRET)
        .build();
    client.get("orders?a=1").send().await.unwrap();
    client.get("/other").send().await.unwrap();
    client
        .get(format!("{}/file", other.url))
        .send()
        .await
        .unwrap();
    let requests = home.requests();
    assert!(
        requests[0].starts_with("GET /v2/orders?a=1 "),
        "{requests:?}"
    );
    assert!(requests[1].starts_with("GET /other "), "{requests:?}");
    assert!(requests.iter().all(|request| request.contains("hunter2")));
    assert!(!other.requests()[0].contains("hunter2"));
    assert!(!format!("{client:?}").contains("hunter2"));
    let nowhere = client.scoped().base_url("nowhere").build();
    let error = nowhere.get("x").send().await.unwrap_err();
    assert!(
        error.to_string().contains("the base URL is none"),
        "{error}"
    );
}

#[tokio::test]
async fn a_body_is_streamed_in_chunks_and_in_lines() {
    let server = Server::answering(answer("200 OK", "one\r\n\ntwo\nthree")).await;
    let mut body = client()
        .get(&server.url)
        .stream()
        .await
        .unwrap()
        .into_body();
    let mut whole = Vec::new();
    while let Some(chunk) = body.chunk().await.unwrap() {
        whole.extend_from_slice(&chunk);
    }
    assert_eq!(whole, b"one\r\n\ntwo\nthree");
    let streamed = client().get(&server.url).stream().await.unwrap();
    let (mut lines, mut read) = (streamed.into_body().lines(), Vec::new());
    while let Some(line) = lines.next().await.unwrap() {
        read.push(String::from_utf8(line.to_vec()).unwrap());
    }
    assert_eq!(
        (read, lines.number()),
        (["one", "", "two", "three"].map(str::to_owned).to_vec(), 4)
    );

    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}";
    let server = Server::answering(cut).await;
    let mut body = client()
        .get(&server.url)
        .stream()
        .await
        .unwrap()
        .into_body();
    assert_eq!(body.chunk().await.unwrap().unwrap(), "{}");
    let error = body.chunk().await.unwrap_err();
    assert!(matches!(error, HttpError::Broken { .. }), "{error:?}");
}

#[test]
fn tls_is_spoken_by_one_provider() {
    use_provider();
    let provider = rustls::crypto::CryptoProvider::get_default().unwrap();
    let name = format!("{:?}", provider.secure_random);
    assert!(name.contains("AwsLc"), "{name}");
}
