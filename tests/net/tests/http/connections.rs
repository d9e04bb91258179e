//! Connections, and the clients that share them.

use std::time::Duration;

use staunch::http::{Client, Limiter};
use staunch_net_tests::faults::{Answer, Fault, FaultServer};

use crate::asking::{patient, serve};

#[tokio::test]
async fn clients_of_several_accounts_share_connections_and_nothing_else() {
    let server = serve([Answer::new(200, "")]).await;
    let client = Client::builder().header("x-all", "all").build();
    let account = |name: &str| {
        let base = format!("{}/{name}/", server.url());
        client
            .scoped()
            .base_url(base)
            .header("x-account", name)
            .build()
    };
    let accounts = ["tea", "coffee"].map(account);
    for _ in 0..5 {
        for account in &accounts {
            account.get("orders").send().await.unwrap();
        }
    }
    client.get(server.url()).send().await.unwrap();
    assert_eq!(server.connections(), 1);
    let log = server.log();
    for (nth, served) in log[..10].iter().enumerate() {
        let name = ["tea", "coffee"][nth % 2];
        assert_eq!(served.asked.target, format!("/{name}/orders"));
        assert_eq!(served.asked.header("x-account"), Some(name));
        assert_eq!(served.asked.header("x-all"), Some("all"));
    }
    assert_eq!(log[10].asked.header("x-account"), None);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_no_failure() {
    for fault in [
        Fault::CloseAfter,
        Fault::CloseLater(Duration::ZERO),
        Fault::CloseLater(Duration::from_millis(1)),
        Fault::UntilClosed,
    ] {
        let server = serve([Answer::new(200, "7").fault(fault)]).await;
        let client = patient(&server)
            .scoped()
            .limiter(Limiter::unlimited())
            .build();
        for _ in 0..100 {
            assert_eq!(
                client.get("").send().await.unwrap().text(),
                "7",
                "{fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_to_its_end_is_in_nobody_s_way() {
    let server = FaultServer::start(|asked| match asked.path() {
        "/large" => Answer::new(200, vec![b'x'; 8 << 20]),
        _ => Answer::new(200, "7"),
    })
    .await;
    let client = patient(&server);
    for _ in 0..5 {
        let mut body = client.get("large").stream().await.unwrap().into_body();
        assert!(body.chunk().await.unwrap().is_some());
        drop(body);
        assert_eq!(client.get("small").send().await.unwrap().text(), "7");
    }
}

#[tokio::test]
async fn who_no_longer_waits_for_an_answer_is_in_nobody_s_way() {
    let hour = Duration::from_secs(3600);
    let server = FaultServer::start(move |asked| match asked.path() {
        "/never" => Answer::new(200, "").fault(Fault::Silence(hour)),
        _ => Answer::new(200, "7"),
    })
    .await;
    let client = patient(&server)
        .scoped()
        .limiter(Limiter::default())
        .build();
    for _ in 0..5 {
        let asking = client.get("never").send();
        assert!(
            tokio::time::timeout(Duration::from_millis(50), asking)
                .await
                .is_err()
        );
        assert_eq!(client.get("small").send().await.unwrap().text(), "7");
    }
}
