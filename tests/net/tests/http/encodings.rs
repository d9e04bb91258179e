//! Content encodings, over the wire.

use staunch::http::{HttpError, Response};
use staunch_net_tests::faults::{Answer, Coding, Fault, encoded};

use crate::asking::{once, patient, read, serve, shown};

/// Text that compresses, and is longer than any buffer.
fn text() -> Vec<u8> {
    let lines = (0..4_000u64).map(|n| format!("{{\"id\":{n},\"x\":{}}}\n", n * n % 997));
    lines.collect::<String>().into_bytes()
}

fn in_codings(bytes: &[u8], codings: &[Coding]) -> Answer {
    let mut body = bytes.to_vec();
    for coding in codings {
        body = encoded(&body, *coding);
    }
    Answer::new(200, body)
}

async fn asked_once(answer: Answer) -> Result<Response, HttpError> {
    let server = serve([answer]).await;
    once(&server).get("").send().await
}

#[tokio::test]
async fn an_encoded_body_is_decoded_whichever_way_it_comes() {
    let text = text();
    for coding in Coding::ALL {
        let answer = in_codings(&text, &[coding]).header("Content-Encoding", coding.name());
        for fault in [Fault::None, Fault::Chunks, Fault::UntilClosed] {
            let server = serve([answer.clone().fault(fault)]).await;
            let whole = once(&server).get("").send().await.unwrap();
            assert!(whole.bytes() == text, "{coding:?} {fault:?}");
            let (body, end) = read(once(&server).get("").stream().await.unwrap()).await;
            assert!(body == text && end.is_ok(), "{coding:?} {fault:?}: {end:?}");
        }
    }
}

#[tokio::test]
async fn encodings_one_around_the_other_are_undone_however_they_are_named() {
    let text = text();
    use Coding::{Brotli, Deflate, Gzip, Zstd};
    for (codings, names) in [
        (&[Gzip, Gzip][..], &["gzip, gzip"][..]),
        (&[Brotli, Gzip], &["br", "x-gzip"]),
        (
            &[Deflate, Zstd, Gzip],
            &["DEFLATE ,identity,, zstd", "GZip"],
        ),
        (&[Gzip, Brotli, Deflate, Zstd], &["gzip,br,deflate,zstd"]),
        (&[], &["identity"]),
        (&[], &[""]),
    ] {
        let mut answer = in_codings(&text, codings);
        for name in names {
            answer = answer.header("content-encoding", name);
        }
        assert!(
            asked_once(answer).await.unwrap().bytes() == text,
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn several_members_are_one_body() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let body = [
            encoded(b"one ", coding),
            encoded(b"", coding),
            encoded(b"and two", coding),
        ];
        let answer = Answer::new(200, body.concat()).header("content-encoding", coding.name());
        let answer = asked_once(answer.fault(Fault::Drip(7, std::time::Duration::ZERO))).await;
        assert_eq!(answer.unwrap().text(), "one and two", "{coding:?}");
    }
}

#[tokio::test]
async fn an_encoded_body_that_is_not_whole_is_asked_again_although_its_length_is_right() {
    for coding in Coding::ALL {
        let good = in_codings(&text(), &[coding]).header("content-encoding", coding.name());
        let with = |body: Vec<u8>| Answer {
            body,
            ..good.clone()
        };
        let length = good.body.len();
        let bad = [
            with(good.body[..length - 1].to_vec()),
            with(good.body[..length / 2].to_vec()),
            with(good.body[..1].to_vec()),
            with([&good.body[..], b"more"].concat()),
            with(b"{\"not\": \"encoded\"}".to_vec()),
        ];
        for (nth, bad) in bad.into_iter().enumerate() {
            let error = asked_once(bad.clone()).await.unwrap_err();
            assert!(
                matches!(error, HttpError::Broken { .. }),
                "{coding:?} {nth}: {error:?}"
            );
            let server = serve([bad, good.clone()]).await;
            let answer = patient(&server).get("").send().await.unwrap();
            assert!(answer.bytes() == text());
            assert_eq!(server.log().len(), 2);
        }
    }
}

#[tokio::test]
async fn an_encoding_that_nobody_can_undo_is_named_and_not_asked_for_again() {
    for (named, expected) in [
        ("compress", "`compress`"),
        ("gzip, aws-chunked", "`aws-chunked`"),
        ("gzip\u{ff}", "`?`"),
        ("gzip,gzip,gzip,gzip,gzip", "more than 4"),
    ] {
        let server = serve([Answer::new(200, "text").header("content-encoding", named)]).await;
        let client = patient(&server);
        let whole = client.get("").send().await.map(|_| ());
        let streamed = client.get("").stream().await.map(|_| ());
        for error in [whole.unwrap_err(), streamed.unwrap_err()] {
            match &error {
                HttpError::Encoded { .. } => assert!(shown(&error).contains(expected), "{error}"),
                other => panic!("{named}: {other:?}"),
            }
        }
        assert_eq!(server.log().len(), 2);
    }
}

#[tokio::test]
async fn a_refusal_is_one_whatever_its_encoding() {
    let refusal = |codings, name: &str| {
        let answer = in_codings(b"there is no such thing", codings);
        Answer {
            status: 404,
            ..answer.header("content-encoding", name)
        }
    };
    for (answer, excerpt) in [
        (refusal(&[Coding::Gzip], "gzip"), "there is no such thing"),
        (
            refusal(&[Coding::Brotli, Coding::Zstd], "br, zstd"),
            "there is no such thing",
        ),
        (refusal(&[], "gzip"), ""),
        (refusal(&[], "x-unknown"), ""),
        (refusal(&[], "gzip,gzip,gzip,gzip,gzip"), ""),
        (refusal(&[], "").fault(Fault::HalfBody), "there is no"),
        (refusal(&[], "").fault(Fault::BrokenChunk), "there is no"),
    ] {
        let server = serve([answer]).await;
        let whole = patient(&server).get("").send().await.map(|_| ());
        let streamed = patient(&server).get("").stream().await.map(|_| ());
        for error in [whole.unwrap_err(), streamed.unwrap_err()] {
            let refusal = error.refusal().unwrap();
            assert_eq!((refusal.status(), refusal.excerpt()), (404, excerpt));
        }
        assert_eq!(server.log().len(), 2, "it will not pass");
    }
    let failure = Answer::new(503, "").header("content-encoding", "x-unknown");
    let server = serve([failure, Answer::new(200, "7")]).await;
    let answer = patient(&server).get("").send().await.unwrap();
    assert_eq!(answer.text(), "7", "it passed");
}

#[tokio::test]
async fn a_bomb_is_an_error_or_a_stream_and_of_a_refusal_only_its_beginning() {
    const ZEROS: usize = 2 << 20;
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        let bomb = in_codings(&vec![0; ZEROS], &[coding, coding]);
        assert!(bomb.body.len() < 3_000, "{coding:?}: {}", bomb.body.len());
        let name = coding.name();
        let bomb = bomb.header("content-encoding", format!("{name}, {name}"));
        let server = serve([bomb.clone()]).await;
        let client = patient(&server).scoped().max_body_bytes(1 << 18).build();
        let error = client.get("").send().await.unwrap_err();
        assert!(
            matches!(error, HttpError::TooLarge { .. }),
            "{coding:?}: {error:?}"
        );
        assert_eq!(server.log().len(), 1, "it would be as large the next time");
        let (zeros, end) = read(client.get("").stream().await.unwrap()).await;
        assert!(zeros.len() == ZEROS && end.is_ok());
        let server = serve([Answer {
            status: 400,
            ..bomb
        }])
        .await;
        let error = patient(&server).get("").send().await.unwrap_err();
        assert_eq!(error.status(), Some(400));
    }
}

#[tokio::test]
async fn who_asks_says_which_encodings_it_can_undo_unless_it_is_told_what_to_say() {
    let server = serve([Answer::new(200, "")]).await;
    let client = once(&server);
    client.get("").send().await.unwrap();
    client
        .get("")
        .header("accept-encoding", "identity")
        .send()
        .await
        .unwrap();
    let log = server.log();
    let accepted: Vec<_> = log
        .iter()
        .map(|served| served.asked.header("accept-encoding"))
        .collect();
    assert_eq!(
        accepted,
        [Some("zstd, br, gzip, deflate"), Some("identity")]
    );
}
