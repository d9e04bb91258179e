//! What is waited for, and for how long.

use std::time::Duration;

use staunch::http::{Client, HttpError, Retry, Timeouts};
use staunch_net_tests::faults::{Answer, Deaf, Fault, FaultServer};

use crate::asking::{in_time, read, serve, soon_again};

const HOUR: Duration = Duration::from_secs(3600);

const SHORT: Duration = Duration::from_millis(200);

/// Waits an hour for anything.
const PATIENT: Timeouts = Timeouts {
    connect: HOUR,
    first_byte: HOUR,
    idle: HOUR,
    total: HOUR,
};

fn client(url: impl AsRef<str>, timeouts: Timeouts) -> Client {
    let builder = Client::builder().base_url(url).timeouts(timeouts);
    builder.retry(Retry::never()).build()
}

async fn slow(fault: Fault) -> FaultServer {
    serve([Answer::new(200, "a text of several words").fault(fault)]).await
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_given_up_and_was_asked_nothing() {
    let server = Deaf::start().await;
    let timeouts = Timeouts {
        connect: SHORT,
        ..PATIENT
    };
    let asked = client(server.url(), timeouts).get("").send();
    let error = in_time(asked).await.unwrap_err();
    assert!(matches!(error, HttpError::Unreached { .. }), "{error:?}");
    // So it does no harm to try again, whatever was to be asked.
    let again = client(server.url(), timeouts)
        .scoped()
        .retry(soon_again().tries(2))
        .build();
    let error = in_time(again.post("").send()).await.unwrap_err();
    assert!(error.to_string().starts_with("asked 2 times"), "{error}");
}

#[tokio::test]
async fn a_head_that_does_not_come_or_not_to_its_end_is_late() {
    let pause = Duration::from_millis(50);
    for fault in [Fault::Silence(HOUR), Fault::DripHead(1, pause)] {
        let server = slow(fault).await;
        let client = client(
            server.url(),
            Timeouts {
                first_byte: SHORT,
                ..PATIENT
            },
        );
        let error = in_time(client.get("").send()).await.unwrap_err();
        assert!(
            matches!(error, HttpError::Late { .. }),
            "{fault:?}: {error:?}"
        );
        let error = in_time(client.get("").stream()).await.unwrap_err();
        assert!(
            matches!(error, HttpError::Late { .. }),
            "{fault:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_body_that_stops_in_the_middle_is_late() {
    let server = slow(Fault::SilenceInBody(HOUR)).await;
    let client = client(
        server.url(),
        Timeouts {
            idle: SHORT,
            ..PATIENT
        },
    );
    let error = in_time(client.get("").send()).await.unwrap_err();
    assert!(matches!(error, HttpError::Late { .. }), "{error:?}");
    let streamed = in_time(client.get("").stream()).await.unwrap();
    let (body, end) = in_time(read(streamed)).await;
    assert_eq!(body, b"a text of s", "what came was read");
    let error = end.unwrap_err();
    assert!(matches!(error, HttpError::Late { .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_bounded_as_a_whole_and_not_as_a_stream() {
    let pause = Duration::from_millis(50);
    let server = slow(Fault::Drip(1, pause)).await;
    let client = client(
        server.url(),
        Timeouts {
            total: SHORT,
            ..PATIENT
        },
    );
    let error = in_time(client.get("").send()).await.unwrap_err();
    assert!(matches!(error, HttpError::Late { .. }), "{error:?}");
    let streamed = in_time(client.get("").stream()).await.unwrap();
    let (body, end) = in_time(read(streamed)).await;
    assert_eq!(body, b"a text of several words");
    end.unwrap();
}

#[tokio::test]
async fn who_reads_slowly_is_not_kept_from_reading() {
    let body = vec![b'x'; 4 << 20]; // More than sockets hold.
    let server = serve([Answer::new(200, body)]).await;
    let idle = Duration::from_secs(1);
    let client = client(server.url(), Timeouts { idle, ..PATIENT });
    let mut body = client.get("").stream().await.unwrap().into_body();
    let mut bytes = body.chunk().await.unwrap().unwrap().len();
    tokio::time::sleep(2 * idle).await;
    while let Some(chunk) = in_time(body.chunk()).await.unwrap() {
        bytes += chunk.len();
    }
    assert_eq!(bytes, 4 << 20);
}

#[tokio::test]
async fn what_was_late_is_asked_again_unless_it_may_have_been_done() {
    let late = Answer::new(200, "late").fault(Fault::Silence(HOUR));
    let half = Answer::new(200, "late").fault(Fault::SilenceInBody(HOUR));
    let timeouts = Timeouts {
        first_byte: 5 * SHORT,
        idle: 5 * SHORT,
        ..PATIENT
    };
    for late in [late, half] {
        let answers = [late.clone(), late.clone(), Answer::new(200, "7")];
        let server = serve(answers).await;
        let client = client(server.url(), timeouts)
            .scoped()
            .retry(soon_again().tries(20))
            .build();
        let answer = in_time(client.get("").send()).await.unwrap();
        assert_eq!(answer.text(), "7");
        let server = serve([late]).await;
        let client = client.scoped().base_url(server.url()).build();
        let error = in_time(client.post("").send()).await.unwrap_err();
        assert!(matches!(error, HttpError::Late { .. }), "{error:?}");
        assert_eq!(server.log().len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_whose_body_does_not_come_is_one() {
    let refusal = Answer::new(403, "no entry at all").fault(Fault::SilenceInBody(HOUR));
    let server = serve([refusal]).await;
    let client = client(
        server.url(),
        Timeouts {
            idle: SHORT,
            ..PATIENT
        },
    );
    let whole = in_time(client.get("").send()).await.map(|_| ());
    let streamed = in_time(client.get("").stream()).await.map(|_| ());
    for error in [whole.unwrap_err(), streamed.unwrap_err()] {
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.status(), refusal.excerpt()), (403, "no entr"));
    }
}
