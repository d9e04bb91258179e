//! Proxies that the environment names.

use staunch_net_tests::faults::{Answer, FaultServer};

use crate::asking::serve;
use crate::process::asked;

/// A proxy, which answers itself.
async fn proxy() -> FaultServer {
    FaultServer::start(|asked| Answer::new(200, format!("by proxy: {}", asked.target))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_over_http_goes_through_the_proxy_that_is_named_for_it() {
    let proxy = proxy().await;
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let said = asked(
            "http://source.invalid/orders?k=1",
            &[(variable, proxy.url())],
        )
        .await;
        assert!(
            said.starts_with("by proxy: http://source.invalid/orders?k=1"),
            "{variable}: {said}"
        );
    }
    let log = proxy.log();
    assert!(
        log.iter()
            .all(|served| served.asked.header("host") == Some("source.invalid"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_proxy_is_asked_without_one() {
    let (proxy, server) = (proxy().await, serve([Answer::new(200, "itself")]).await);
    let said = asked(
        server.url(),
        &[("HTTP_PROXY", proxy.url()), ("NO_PROXY", "a,127.0.0.1")],
    )
    .await;
    assert!(said.starts_with("itself"), "{said}");
    let said = asked(server.url(), &[("HTTPS_PROXY", proxy.url())]).await;
    assert!(said.starts_with("itself"), "{said}");
    assert_eq!(proxy.log().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_over_https_goes_through_a_tunnel() {
    let proxy = serve([Answer::new(502, "no such host")]).await;
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let said = asked(
            "https://source.invalid/orders?k=hunter2",
            &[(variable, proxy.url())],
        )
        .await;
        assert!(said.starts_with("unreached"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    for served in proxy.log() {
        let told = format!("{:?}", served.asked);
        assert_eq!(served.asked.method, "CONNECT");
        assert_eq!(served.asked.target, "source.invalid:443");
        assert!(
            !told.contains("orders"),
            "a proxy is told the host and no more: {told}"
        );
    }
    assert_eq!(proxy.log().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_a_proxy_lets_in_is_told_to_the_proxy_and_to_nobody_else() {
    let proxy = serve([Answer::new(407, "who are you?")]).await;
    let address = proxy.url().strip_prefix("http://").unwrap();
    let with_password = format!("http://user:hunter2-hunter2@{address}");
    for (url, kind) in [
        ("http://source.invalid/", "refused"),
        ("https://source.invalid/", "unreached"),
    ] {
        let said = asked(url, &[("ALL_PROXY", &with_password)]).await;
        assert!(said.starts_with(kind), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    for served in proxy.log() {
        let told = served.asked.header("proxy-authorization").unwrap();
        assert!(told.starts_with("Basic "), "{:?}", served.asked);
    }
    // A proxy that is not there.
    let said = asked(
        "http://source.invalid/",
        &[("HTTP_PROXY", "http://user:hunter2-hunter2@127.0.0.1:1")],
    )
    .await;
    assert!(
        said.starts_with("unreached") && !said.contains("hunter2"),
        "{said}"
    );
}
