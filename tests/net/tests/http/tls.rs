//! What is asked over TLS. Processes of their own ask, since whom to trust is said by the environment.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use staunch_net_tests::faults::{Answer, Fault, FaultServer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::asking::serve;
use crate::process::asked;

const SERVER: &[u8] = include_bytes!("tls/server.pem");

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/tls/authority.pem");

const TRUSTED: (&str, &str) = ("SSL_CERT_FILE", AUTHORITY);

/// Speaks TLS on a port of its own, in front of a server that does not.
async fn in_front_of(server: &FaultServer) -> u16 {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_slice(SERVER).unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER).unwrap();
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let behind = server.url().strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            // One that does not trust it goes away.
            tokio::spawn(async move {
                let mut outside = acceptor.accept(stream).await?;
                let mut inside = TcpStream::connect(behind).await?;
                copy_bidirectional(&mut outside, &mut inside).await
            });
        }
    });
    port
}

/// A proxy that leads each tunnel to this port, wherever it was to lead. Says to where that was, and what it was told besides.
async fn tunnel(port: u16) -> (String, Arc<std::sync::Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let told = Arc::new(std::sync::Mutex::new(String::new()));
    let heard = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                stream.read_line(&mut head).await?;
            }
            heard.lock().unwrap().push_str(&head);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            let mut inside = TcpStream::connect(("127.0.0.1", port)).await?;
            tokio::spawn(async move { copy_bidirectional(&mut stream, &mut inside).await });
        }
        Ok::<_, std::io::Error>(())
    });
    (url, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_trusted_is_asked_and_who_is_not_is_not_reached() {
    let server = serve([Answer::new(200, "itself")]).await;
    let url = format!("https://127.0.0.1:{}/", in_front_of(&server).await);
    let said = asked(&url, &[TRUSTED]).await;
    assert!(said.starts_with("itself"), "{said}");
    let said = asked(&url, &[]).await;
    assert!(said.starts_with("unreached"), "{said}");
    // The certificate is for an address and a name, and this is neither.
    let said = asked(&url.replace("127.0.0.1", "localhost"), &[TRUSTED]).await;
    assert!(said.starts_with("unreached"), "{said}");
    assert_eq!(server.log().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_from_https_to_http_not_even_on_the_same_host() {
    let plain = serve([Answer::new(200, "read by anybody")]).await;
    let there = format!("{}/there?k=hunter2", plain.url());
    let server = serve([Answer::new(302, "").header("location", there)]).await;
    let url = format!("https://127.0.0.1:{}/", in_front_of(&server).await);
    let said = asked(&url, &[TRUSTED]).await;
    assert!(
        said.starts_with("redirected") && said.contains("without encryption"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(plain.log().len(), 0);
    // The other way it goes.
    let secure = serve([Answer::new(200, "itself")]).await;
    let there = format!("https://127.0.0.1:{}/", in_front_of(&secure).await);
    let plain = serve([Answer::new(302, "").header("location", there)]).await;
    let said = asked(plain.url(), &[TRUSTED]).await;
    assert!(said.starts_with("itself"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_tells_the_proxy_the_host_and_no_more() {
    let server = serve([Answer::new(200, "itself")]).await;
    let (proxy, told) = tunnel(in_front_of(&server).await).await;
    let said = asked(
        "https://source.invalid/orders?k=1",
        &[TRUSTED, ("HTTPS_PROXY", &proxy)],
    )
    .await;
    assert!(said.starts_with("itself"), "{said}");
    let asked = &server.log()[0].asked;
    assert_eq!(
        (&*asked.target, asked.header("host")),
        ("/orders?k=1", Some("source.invalid"))
    );
    assert_eq!(asked.header("proxy-authorization"), None);
    let told = told.lock().unwrap().clone();
    assert!(
        told.starts_with("CONNECT source.invalid:443 HTTP/1.1\r\n"),
        "{told}"
    );
    assert!(!told.contains("orders"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_is_broken_over_tls_too() {
    for fault in [Fault::HalfBody, Fault::ChunksWithoutEnd] {
        let server = serve([Answer::new(200, "a text of several words").fault(fault)]).await;
        let url = format!("https://127.0.0.1:{}/", in_front_of(&server).await);
        let said = asked(&url, &[TRUSTED]).await;
        assert!(said.starts_with("broken"), "{fault:?}: {said}");
    }
}
