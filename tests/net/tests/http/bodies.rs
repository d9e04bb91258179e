//! Bodies that come whole, in whatever way, and bodies that do not.

use serde_json::{Value, json};
use staunch::http::{Client, HttpError, Limiter, Retry};
use staunch_net_tests::faults::{Answer, Coding, Fault, FaultServer, encoded};
use std::time::Duration;
use tokio::io::AsyncReadExt;

use crate::asking::{once, patient, read, serve};

const PAUSE: Duration = Duration::from_millis(1);

fn good() -> Answer {
    Answer::new(200, r#"{"records":[1,2,3]}"#)
}

#[tokio::test]
async fn an_answer_that_is_not_whole_is_an_error_and_asked_again() {
    for fault in [
        Fault::ResetAtOnce,
        Fault::ResetInHead,
        Fault::ResetInBody,
        Fault::HalfBody,
        Fault::LongLength,
        Fault::TwoLengths,
        Fault::ChunksWithoutEnd,
        Fault::BrokenChunk,
        Fault::Garbage,
        Fault::LargeHead(600_000),
    ] {
        let server = serve([good().fault(fault)]).await;
        let error = once(&server).get("").send().await.unwrap_err();
        assert!(
            matches!(error, HttpError::Broken { .. }),
            "{fault:?}: {error:?}"
        );

        let error = match once(&server).get("").stream().await {
            Ok(streamed) => read(streamed).await.1.unwrap_err(),
            Err(error) => error,
        };
        assert!(
            matches!(error, HttpError::Broken { .. }),
            "{fault:?}: {error:?}"
        );

        let server = serve([good().fault(fault), good().fault(fault), good()]).await;
        let answer = patient(&server).get("").send().await.unwrap();
        assert_eq!(
            answer.json::<Value>().unwrap(),
            json!({"records": [1, 2, 3]})
        );
        assert_eq!(server.log().len(), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn whichever_way_a_body_is_said_to_end_it_is_the_same_body() {
    for fault in [
        Fault::None,
        Fault::Chunks,
        Fault::ChunksAndLength,
        Fault::UntilClosed,
        Fault::Drip(5, PAUSE),
        Fault::DripHead(5, PAUSE),
        Fault::CloseAfter,
        Fault::CloseLater(PAUSE),
    ] {
        let server = serve([good().fault(fault)]).await;
        let client = once(&server);
        let answer = client.get("").send().await.unwrap();
        assert_eq!(answer.bytes(), good().body, "{fault:?}");
        // Another client: the connection of this one may be closed at any time.
        let streamed = once(&server).get("").stream().await.unwrap();
        let (body, end) = read(streamed).await;
        assert!(body == good().body && end.is_ok(), "{fault:?}: {end:?}");
    }
}

#[tokio::test]
async fn what_came_before_a_body_broke_was_read_and_the_error_stays() {
    let text = "a line that is read\nand one that is not".repeat(2000);
    let gzip = |answer: Answer| Answer {
        body: encoded(&answer.body, Coding::Gzip),
        ..answer.header("content-encoding", "gzip")
    };
    for answer in [
        Answer::new(200, text.clone()),
        gzip(Answer::new(200, text.clone())),
    ] {
        let server = serve([answer.fault(Fault::HalfBody)]).await;
        let mut body = once(&server).get("").stream().await.unwrap().into_body();
        let mut bytes = Vec::new();
        let error = body.read_to_end(&mut bytes).await.unwrap_err();
        let error = HttpError::of_read(&error).unwrap();
        assert!(matches!(error, HttpError::Broken { .. }), "{error:?}");
        assert!(!bytes.is_empty() && text.as_bytes().starts_with(&bytes));
        for _ in 0..2 {
            let again = body.chunk().await;
            assert!(matches!(again, Err(HttpError::Broken { .. })), "{again:?}");
        }
    }
}

#[tokio::test]
async fn a_length_that_is_too_short_cuts_a_body_and_spoils_no_other() {
    let server = serve([good().fault(Fault::ShortLength), good()]).await;
    let client = patient(&server);
    let cut = client.get("").send().await.unwrap();
    assert!(matches!(cut.json::<Value>(), Err(HttpError::Json { .. })));
    for _ in 0..3 {
        let answer = client.get("").send().await.unwrap();
        assert_eq!(answer.bytes(), good().body);
    }
    // A body that ends itself is seen to be cut.
    let gzip = Answer::new(200, encoded(b"text", Coding::Gzip)).header("content-encoding", "gzip");
    let server = serve([gzip.clone().fault(Fault::ShortLength), gzip]).await;
    let answer = patient(&server).get("").send().await.unwrap();
    assert_eq!((answer.text(), server.log().len()), ("text".into(), 2));
}

#[tokio::test]
async fn json_that_ends_with_its_connection_is_seen_to_be_cut() {
    let of_kind = |body: &str, kind: &str| {
        let answer = Answer::new(200, body).fault(Fault::UntilClosed);
        answer.header("content-type", kind)
    };
    let text = r#"{"records":[1,2,3]}"#;
    for kind in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/hal+json",
    ] {
        let server = serve([
            of_kind(&text[..9], kind),
            of_kind("", kind),
            of_kind(text, kind),
        ])
        .await;
        let answer = patient(&server).get("").send().await.unwrap();
        assert_eq!(
            (answer.text(), server.log().len()),
            (text.into(), 3),
            "{kind}"
        );
    }
    // What nobody can tell, and what is no matter of the end.
    for (body, kind) in [(&text[..9], "text/plain"), ("nonsense", "application/json")] {
        let server = serve([of_kind(body, kind)]).await;
        let answer = patient(&server).get("").send().await.unwrap();
        assert_eq!(answer.text(), body);
    }
    // Where the end is said, it is as it is.
    for fault in [Fault::None, Fault::Chunks] {
        let server = serve([of_kind(&text[..9], "application/json").fault(fault)]).await;
        let answer = patient(&server).get("").send().await.unwrap();
        assert!(
            matches!(answer.json::<Value>(), Err(HttpError::Json { .. })),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_body_may_have_its_bound_and_not_a_byte_more() {
    for fault in [Fault::None, Fault::Chunks, Fault::UntilClosed] {
        let server = serve([Answer::new(200, vec![b'x'; 100_000]).fault(fault)]).await;
        let bounded = |bytes| patient(&server).scoped().max_body_bytes(bytes).build();
        let answer = bounded(100_000).get("").send().await.unwrap();
        assert_eq!(answer.into_bytes().len(), 100_000);
        let error = bounded(99_999).get("").send().await.unwrap_err();
        assert!(
            matches!(
                error,
                HttpError::TooLarge {
                    max_bytes: 99_999,
                    ..
                }
            ),
            "{fault:?}: {error:?}"
        );
        assert_eq!(server.log().len(), 2, "it would be as large the next time");
        let streamed = bounded(10).get("").stream().await.unwrap();
        let (body, end) = read(streamed).await;
        assert!(
            body.len() == 100_000 && end.is_ok(),
            "a stream has no bound"
        );
    }
}

#[tokio::test]
async fn an_answer_to_head_and_one_without_a_body_have_none_whatever_they_announce() {
    let large = Answer::new(200, vec![0; 100_000]).header("content-encoding", "gzip");
    let server = serve([large]).await;
    let client = once(&server).scoped().max_body_bytes(1000).build();
    let answer = client.head("").send().await.unwrap();
    assert_eq!(answer.header("content-length"), Some("100000"));
    assert_eq!(answer.bytes(), b"");
    for (status, length) in [(204, ""), (304, "content-length: 100000\r\n")] {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-encoding: br\r\n{length}\r\n");
        let server = serve([Answer::verbatim(head)]).await;
        let answer = once(&server).get("").send().await.unwrap();
        assert_eq!((answer.status(), answer.bytes()), (status, &b""[..]));
    }
}

#[tokio::test]
async fn an_answer_may_be_announced_and_may_be_of_the_last_century() {
    for answer in [
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.0 200 OK\r\n\r\n{}",
    ] {
        let server = serve([Answer::verbatim(answer)]).await;
        let answer = once(&server).get("").send().await.unwrap();
        assert_eq!((answer.status(), answer.bytes()), (200, &b"{}"[..]));
    }
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_and_no_panic() {
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(700_000));
    for nonsense in [
        "",
        "\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 99999 OK\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxyz",
        "SSH-2.0-server\r\n",
        &endless,
    ] {
        let server = serve([Answer::verbatim(nonsense)]).await;
        let error = once(&server).get("").send().await.unwrap_err();
        let shown = nonsense.chars().take(60).collect::<String>();
        assert!(
            matches!(error, HttpError::Broken { .. }),
            "{shown}: {error:?}"
        );
    }
}

#[tokio::test]
async fn lines_come_as_they_are_however_they_arrive_and_only_whole() {
    let long = "x".repeat(200_000);
    let text = format!("one\r\n\n{long}\n\u{fc}nd\rtwo\nlast");
    let expected = ["one", "", &long, "\u{fc}nd\rtwo", "last"];
    for answer in [
        Answer::new(200, text.clone()),
        Answer::new(200, text.clone()).fault(Fault::Drip(4_001, PAUSE)),
        Answer::new(200, encoded(text.as_bytes(), Coding::Zstd)).header("content-encoding", "zstd"),
    ] {
        let server = serve([answer]).await;
        let mut lines = once(&server)
            .get("")
            .stream()
            .await
            .unwrap()
            .into_body()
            .lines();
        for expected in expected {
            assert!(lines.next().await.unwrap() == Some(expected.as_bytes()));
        }
        assert_eq!(lines.next().await.unwrap(), None);
        assert_eq!(lines.number(), 5);
    }
    // Half of it ends within the long line.
    let server = serve([Answer::new(200, text).fault(Fault::ResetInBody)]).await;
    let mut lines = once(&server)
        .get("")
        .stream()
        .await
        .unwrap()
        .into_body()
        .lines();
    let mut read = 0;
    let error = loop {
        match lines.next().await {
            Ok(line) => assert_eq!(line, Some(expected[read].as_bytes())),
            Err(error) => break error,
        }
        read += 1;
    };
    assert!(matches!(error, HttpError::Broken { .. }), "{error:?}");
    assert!(read <= 2, "a reset may take back what was not read yet");
}

#[tokio::test]
async fn many_answers_arrive_at_once_each_to_whom_it_belongs() {
    let server = FaultServer::start(|asked| {
        let faults = [
            Fault::None,
            Fault::Chunks,
            Fault::Drip(1000, PAUSE),
            Fault::CloseAfter,
        ];
        Answer::new(200, asked.target.repeat(200)).fault(faults[asked.nth as usize % 4])
    })
    .await;
    let retry = Retry::default().tries(20).pauses(PAUSE, PAUSE);
    let client = Client::builder()
        .base_url(server.url())
        .retry(retry)
        .limiter(Limiter::unlimited());
    let client = client.build();
    let asking: Vec<_> = (0..300)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { client.get(format!("/{n}")).send().await.unwrap() })
        })
        .collect();
    for (n, answer) in asking.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().text(), format!("/{n}").repeat(200));
    }
}
