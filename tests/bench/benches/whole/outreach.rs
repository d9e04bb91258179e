//! A backfill of a million accounts of a simulated Outreach, beside a client that only asks for them.

use std::process::Command;

use serde_json::json;

use crate::Error;
use crate::measure::{OUTREACH, Teller, to_pipe, to_pipe_until};
use crate::open::{SPEC, open};
use crate::server::Server;
use crate::table::{Row, print};

const ACCOUNTS: u64 = 1_000_000;

/// With which the last page of the backfill leaves.
const LAST: &[u8] = b"\"backfill\":null";

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    let server = Server::start(OUTREACH, &["serve", &ACCOUNTS.to_string()])?;
    let config = json!({ "credentials": {
        "credentials_title": "OAuth Credentials", "client_id": "client", "client_secret": "client-secret",
        "refresh_token": "refresh-0", "access_token": "access-0", "access_token_expires_at": "2099-01-01T00:00:00Z",
    } });
    let input = [SPEC, &open(&config, &["accounts".into()], &json!({}))].concat();
    let mut rows = vec![
        Row::new("floor, asks only", None),
        Row::new("`source-outreach`", Some(0)),
    ];
    for _ in 0..rounds {
        let mut floor = Command::new(OUTREACH);
        let (sample, _) = to_pipe(floor.args(["fetch", &server.place]), &[], Teller::Reports)?;
        rows[0].samples.push(sample);
        let mut connector = Command::new(OUTREACH);
        let connector = connector.env("SOURCE_OUTREACH_URL", &server.place);
        let (sample, lines) = to_pipe_until(connector, &input, LAST)?;
        // All but those of the last six hours, which have their own functions.
        if lines < ACCOUNTS * 95 / 100 {
            return Err(
                format!("the connector wrote {lines} messages, which is no backfill").into(),
            );
        }
        rows[1].samples.push(sample);
    }
    print(
        "A backfill of a million simulated accounts of Outreach",
        ACCOUNTS,
        &rows,
    );
    Ok(())
}
