//! Tokens: how the connector gets new ones, and what becomes of the old.

use crate::support::Outreach;
use std::io::{Read as _, Write as _};

/// A new access token, as a control plane would have obtained it.
pub(crate) fn mint(outreach: &Outreach) -> String {
    let address = outreach.simulator.url().trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let body = "grant_type=refresh_token&client_id=client&client_secret=client-secret&refresh_token=refresh-0";
    write!(
        stream,
        "POST /oauth/token HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body = &answer[answer.find("\r\n\r\n").unwrap()..];
    let body: serde_json::Value = serde_json::from_str(body.trim()).unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}
