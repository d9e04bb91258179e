//! Ten thousand requests through every fault there is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use staunch::http::{Client, HttpError, Limiter, Retry, Timeouts};
use staunch_net_tests::faults::{Answer, Asked, FaultServer, Spoiler};
use staunch_net_tests::random::seed;

use crate::tokens::Tokens;

/// Readers that read at once, each its own records: every other one takes a page as a whole, the others line by line as it arrives.
const READERS: u64 = 16;

/// Pages that each reads, or more where it does not get a page to the end.
const PAGES: u64 = 640;

const PAGE_RECORDS: u64 = 5;

/// Longer than a busy machine makes anybody wait.
const WAIT: Duration = Duration::from_secs(5);

/// Requests after which a token expires.
const TOKEN_REQUESTS: u64 = 700;

/// A page of one reader's records, as `/pages?reader=3&after=25`, or as lines, as `/lines?reader=3&after=25`.
fn page(asked: &Asked) -> Answer {
    let number = |name| asked.query(name).unwrap().parse::<u64>().unwrap();
    let (reader, after) = (number("reader"), number("after"));
    let end = PAGES * PAGE_RECORDS;
    let ids = (after + 1..=end).take(PAGE_RECORDS as usize);
    let records = ids.map(|id| json!({ "reader": reader, "id": id }));
    match asked.path() {
        "/lines" => {
            let lines: String = records.map(|record| format!("{record}\n")).collect();
            Answer::new(200, lines)
        }
        _ => {
            let records: Vec<Value> = records.collect();
            let body = json!({ "records": records, "more": after + PAGE_RECORDS < end });
            Answer::new(200, body.to_string())
        }
    }
}

/// Answers with pages to whoever has the token of the hour, and spoils four of ten answers.
fn answering(seed: u64) -> impl Fn(&Asked) -> Answer + Send + Sync + 'static {
    let spoiler = Spoiler::new(seed, 40, WAIT);
    move |asked| {
        let token = asked.header("authorization").unwrap();
        let token: u64 = token
            .strip_prefix("Bearer token-")
            .unwrap()
            .parse()
            .unwrap();
        match token < asked.nth / TOKEN_REQUESTS {
            true => Answer::new(401, "expired"),
            false => spoiler.spoil(asked, page(asked)),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_through_all_faults_lose_and_repeat_nothing() {
    let seed = seed("STAUNCH_FAULT_SEED", 7);
    let server = FaultServer::start(answering(seed)).await;
    let retry = Retry::default()
        .tries(40)
        .pauses(Duration::from_millis(1), Duration::from_millis(5));
    let tokens = Tokens::default();
    let client = Client::builder()
        .base_url(server.url())
        .credentials(tokens.clone())
        .retry(retry)
        .timeouts(Timeouts {
            first_byte: WAIT,
            idle: WAIT,
            ..Timeouts::default()
        })
        // What makes it slow has its own tests: here it would be in the way of faults.
        .limiter(Limiter::unlimited())
        .build();
    let served = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..READERS)
        .map(|reader| {
            let (client, served) = (client.clone(), Arc::clone(&served));
            tokio::spawn(async move {
                match reader % 2 {
                    0 => read_pages(&client, reader, &served).await,
                    _ => read_lines(&client, reader, &served).await,
                }
            })
        })
        .collect();
    for (reader, read) in (0..).zip(readers) {
        let expected: Vec<_> = (1..=PAGES * PAGE_RECORDS).map(|id| (reader, id)).collect();
        assert!(read.await.unwrap() == expected, "reader {reader}");
    }
    let requests = served.load(Ordering::SeqCst);
    assert!(requests >= READERS * PAGES, "{requests}");

    // What was served whole was taken, and so not asked for again.
    let log = server.log();
    let whole = log
        .iter()
        .filter(|served| served.is_whole && served.status == 200);
    let mut taken = BTreeSet::new();
    for served in whole {
        let target = &served.asked.target;
        assert!(
            taken.insert(target),
            "`{target}` was asked for although it had been served"
        );
    }
    let renewed = tokens.renewed();
    println!(
        "{requests} requests sent {} times, {} served whole and in time, {renewed} tokens, {} connections",
        log.len(),
        taken.len(),
        server.connections(),
    );
    assert!(log.len() as u64 > requests * 6 / 5, "there were faults");
    assert!(
        renewed >= log.len() as u64 / TOKEN_REQUESTS,
        "tokens expired"
    );
}

/// All records of a reader, in the order in which they came.
async fn read_pages(client: &Client, reader: u64, served: &AtomicU64) -> Vec<(u64, u64)> {
    let mut records = Vec::new();
    loop {
        let request = client
            .get("pages")
            .query("reader", reader)
            .query("after", records.len());
        let page: Value = request.send().await.unwrap().json().unwrap();
        served.fetch_add(1, Ordering::SeqCst);
        records.extend(page["records"].as_array().unwrap().iter().map(record));
        if page["more"] == false {
            return records;
        }
    }
}

/// The same, going on after the last line that came where a page breaks.
async fn read_lines(client: &Client, reader: u64, served: &AtomicU64) -> Vec<(u64, u64)> {
    let mut records = Vec::new();
    loop {
        let request = client
            .get("lines")
            .query("reader", reader)
            .query("after", records.len());
        let mut lines = request.stream().await.unwrap().into_body().lines();
        served.fetch_add(1, Ordering::SeqCst);
        let before = records.len();
        loop {
            match lines.next().await {
                Ok(Some(line)) => records.push(record(&serde_json::from_slice(line).unwrap())),
                Ok(None) if records.len() == before => return records,
                Ok(None) | Err(HttpError::Broken { .. } | HttpError::Late { .. }) => break,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

fn record(record: &Value) -> (u64, u64) {
    let [reader, id] = ["reader", "id"].map(|name| record[name].as_u64().unwrap());
    (reader, id)
}
