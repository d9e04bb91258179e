//! What is asked again, how often, and what is not.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use staunch::http::{Client, HttpError, Method, Response, Verdict};
use staunch_net_tests::faults::{Answer, Fault, FaultServer};

use crate::asking::{once, patient, read, serve, soon_again};

fn seven() -> Answer {
    Answer::new(200, "7")
}

#[tokio::test]
async fn a_failure_that_may_pass_is_asked_again_and_one_that_will_not_is_not() {
    for (status, is_passing) in [
        (408, true),
        (425, true),
        (429, true),
        (500, true),
        (502, true),
        (503, true),
        (504, true),
        (522, true),
        (400, false),
        (401, false),
        (402, false),
        (403, false),
        (404, false),
        (409, false),
        (410, false),
        (422, false),
        (451, false),
        (501, false),
        (505, false),
    ] {
        let server = serve([Answer::new(status, ""), Answer::new(status, ""), seven()]).await;
        let whole = patient(&server).get("").send().await;
        match is_passing {
            true => assert_eq!(whole.unwrap().text(), "7", "{status}"),
            false => assert_eq!(whole.unwrap_err().status(), Some(status)),
        }
        assert_eq!(
            server.log().len(),
            if is_passing { 3 } else { 1 },
            "{status}"
        );

        let server = serve([Answer::new(status, ""), seven()]).await;
        match patient(&server).get("").stream().await {
            Ok(streamed) => assert!(is_passing && read(streamed).await.0 == b"7", "{status}"),
            Err(error) => assert!(!is_passing, "{status}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn a_burst_of_failures_longer_than_the_tries_is_given_up() {
    let server = serve([Answer::new(502, "bad gateway")]).await;
    let error = patient(&server).get("").send().await.unwrap_err();
    assert!(
        matches!(error, HttpError::GivenUp { tries: 4, .. }),
        "{error:?}"
    );
    assert_eq!((error.status(), server.log().len()), (Some(502), 4));
}

#[tokio::test]
async fn a_storm_of_refusals_is_waited_out_however_many_they_are() {
    let mut answers = vec![Answer::new(429, "too many"); 12];
    answers.push(seven());
    let server = serve(answers).await;
    // Without a limiter, which makes its own pauses: those have their own tests.
    let client = patient(&server)
        .scoped()
        .limiter(staunch::http::Limiter::unlimited())
        .build();
    let answer = client.post("").send().await.unwrap();
    assert_eq!((answer.text(), server.log().len()), ("7".into(), 13));
}

#[tokio::test]
async fn a_server_is_not_asked_before_it_said() {
    for status in [429, 503] {
        let later = Answer::new(status, "").header("retry-after", 1);
        let server = serve([later, seven()]).await;
        let before = Instant::now();
        patient(&server).get("").send().await.unwrap();
        assert!(before.elapsed() >= Duration::from_secs(1), "{status}");
        assert_eq!(server.log().len(), 2);
    }
}

#[tokio::test]
async fn a_server_that_says_to_come_back_much_later_is_given_up_at_once() {
    for status in [429, 503] {
        let server = serve([Answer::new(status, "").header("retry-after", 7200)]).await;
        let error = patient(&server).get("").send().await.unwrap_err();
        assert_eq!((error.status(), server.log().len()), (Some(status), 1));
        assert_eq!(error.refusal().unwrap().header("retry-after"), Some("7200"));
    }
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_again_unless_it_only_reads() {
    let failures = [
        seven().fault(Fault::ResetAtOnce),
        seven().fault(Fault::HalfBody),
        seven().fault(Fault::Garbage),
        Answer::new(500, ""),
        Answer::new(503, ""),
    ];
    for failure in failures {
        for (method, is_repeated) in [
            (Method::GET, true),
            (Method::HEAD, true),
            (Method::PUT, true),
            (Method::DELETE, true),
            (Method::POST, false),
            (Method::PATCH, false),
        ] {
            if method == Method::HEAD && failure.fault == Fault::HalfBody {
                continue; // It has no body.
            }
            let server = serve([failure.clone(), seven()]).await;
            let answer = patient(&server)
                .request(method.clone(), "")
                .body("x")
                .send()
                .await;
            assert_eq!(
                answer.is_ok(),
                is_repeated,
                "{failure:?} {method}: {answer:?}"
            );
            assert_eq!(server.log().len(), if is_repeated { 2 } else { 1 });
        }
        let server = serve([failure, seven()]).await;
        let answer = patient(&server)
            .post("")
            .json(&[1])
            .as_read()
            .send()
            .await
            .unwrap();
        assert_eq!(answer.text(), "7");
        assert!(
            server
                .log()
                .iter()
                .all(|served| served.asked.body == b"[1]")
        );
    }
}

#[tokio::test]
async fn nothing_that_was_done_is_done_again_when_connections_end_after_each_answer() {
    let server = FaultServer::start(|asked| {
        let faults = [
            Fault::CloseAfter,
            Fault::None,
            Fault::CloseLater(Duration::ZERO),
        ];
        Answer::new(200, asked.body.clone()).fault(faults[asked.nth as usize % 3])
    })
    .await;
    let client = patient(&server);
    let mut done = 0;
    for n in 0..200 {
        // One that is lost between two answers cannot be told from one that was carried out.
        match client.post("").body(format!("order {n}")).send().await {
            Ok(answer) => {
                assert_eq!(answer.text(), format!("order {n}"));
                done += 1;
            }
            Err(error) => assert!(matches!(error, HttpError::Broken { .. }), "{error:?}"),
        }
        let answer = client.get("").send().await.unwrap();
        assert_eq!(
            answer.status(),
            200,
            "what only reads gets through in any case"
        );
    }
    let mut orders = BTreeSet::new();
    let log = server.log();
    for served in log.iter().filter(|served| served.asked.method == "POST") {
        assert!(
            orders.insert(&served.asked.body),
            "done twice: {:?}",
            served.asked
        );
    }
    assert!(orders.len() >= done);
    assert!(done > 100, "most get through: {done}");
}

#[tokio::test]
async fn a_judge_decides_whatever_the_status() {
    let judge = |answer: &Response| match (answer.status(), answer.bytes()) {
        (403, b"rate") => Verdict::Throttled,
        (200, b"partial") => Verdict::Retry,
        (500, b"invalid") => Verdict::Refuse("the account is closed; choose another".into()),
        (200, body) if body.starts_with(b"error") => Verdict::Refuse("no such table".into()),
        (404, _) => Verdict::Accept,
        _ => Verdict::AsUsual,
    };
    let client = |server: &FaultServer| patient(server).scoped().judge(judge).build();
    let answers = [
        Answer::new(403, "rate"),
        Answer::new(200, "partial"),
        seven(),
    ];
    let server = serve(answers).await;
    assert_eq!(client(&server).post("").send().await.unwrap().text(), "7");
    assert_eq!(server.log().len(), 3);
    for (answer, expected) in [
        (
            Answer::new(500, "invalid"),
            "the account is closed; choose another",
        ),
        (Answer::new(200, "error 17"), "no such table"),
    ] {
        let server = serve([answer]).await;
        let error = client(&server).get("").send().await.unwrap_err();
        assert!(matches!(error, HttpError::Judged { .. }), "{error:?}");
        assert!(error.to_string().ends_with(expected), "{error}");
        assert_eq!(server.log().len(), 1);
    }
    let server = serve([Answer::new(403, "no entry")]).await;
    assert_eq!(
        client(&server).get("").send().await.unwrap_err().status(),
        Some(403)
    );
}

#[tokio::test]
async fn a_refusal_that_is_accepted_is_an_answer_and_so_is_whole() {
    let accept = |server: &FaultServer| {
        patient(server)
            .scoped()
            .judge(|_| Verdict::Accept)
            .max_body_bytes(1 << 20)
            .build()
    };
    let large = Answer::new(404, "x".repeat(300_000));
    let server = serve([large.clone().fault(Fault::HalfBody), large.clone()]).await;
    let answer = accept(&server).get("").send().await.unwrap();
    assert_eq!((answer.status(), answer.bytes().len()), (404, 300_000));
    assert_eq!(server.log().len(), 2, "half of it was none");

    let server = serve([large]).await;
    let streamed = accept(&server).get("").stream().await.unwrap();
    assert_eq!(streamed.status(), 404);
    let (body, end) = read(streamed).await;
    assert!(body.len() == 300_000 && end.is_ok(), "{end:?}");

    let server = serve([Answer::new(404, "x".repeat(2 << 20))]).await;
    let error = accept(&server).get("").send().await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn who_asks_once_asks_once() {
    for answer in [
        Answer::new(429, ""),
        Answer::new(503, ""),
        seven().fault(Fault::HalfBody),
    ] {
        let server = serve([answer, seven()]).await;
        let error = once(&server).get("").send().await.unwrap_err();
        assert!(!matches!(error, HttpError::GivenUp { .. }), "{error:?}");
        assert_eq!(server.log().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_asked_again_whatever_was_to_be_asked() {
    let client = Client::builder()
        .base_url("http://127.0.0.1:1")
        .retry(soon_again().tries(3));
    let client = client.build();
    for method in [Method::GET, Method::POST] {
        let error = client.request(method, "").send().await.unwrap_err();
        match error {
            HttpError::GivenUp {
                tries: 3, source, ..
            } => {
                assert!(matches!(*source, HttpError::Unreached { .. }), "{source:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}
