//! Asking in a process of its own, whose environment a test sets.

use std::process::Command;

use crate::asking::shown;
use staunch::http::{Client, HttpError, Retry};

/// What the process asks.
const URL: &str = "STAUNCH_NET_ASK";

/// What a system may have said already of proxies, and of whom to trust.
const VARIABLES: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Asks `url` in a process with these variables, and returns what it came to.
pub(crate) async fn asked(url: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command
        .args(["--exact", "process::asks", "--ignored", "--nocapture"])
        .env(URL, url)
        .envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let (_, said) = said.split_once("it came to: ").unwrap();
    said.to_owned()
}

#[tokio::test]
#[ignore = "it is what other tests start, and does nothing by itself"]
async fn asks() {
    let Ok(url) = std::env::var(URL) else {
        return;
    };
    let client = Client::builder().retry(Retry::never()).build();
    match client.get(url).send().await {
        Ok(answer) => println!("it came to: {}", answer.text()),
        Err(error) => {
            let kind = match error {
                HttpError::Unreached { .. } => "unreached",
                HttpError::Refused(_) => "refused",
                HttpError::Redirected { .. } => "redirected",
                HttpError::Broken { .. } => "broken",
                _ => "something else",
            };
            println!("it came to: {kind} {}", shown(&error));
        }
    }
}
