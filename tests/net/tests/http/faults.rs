//! Ten thousand requests through every fault there is.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use staunch::http::{Client, Limiter, Retry, Timeouts};
use staunch_net_tests::faults::{Answer, Asked, Fault, FaultServer, Served};
use staunch_net_tests::random::{Random, seed};

/// Readers that read at once, each its own records.
const READERS: u64 = 16;

/// Pages that each reads.
const PAGES: u64 = 640;

const PAGE_RECORDS: u64 = 5;

/// Longer than a busy machine makes anybody wait.
const WAIT: Duration = Duration::from_secs(3);

/// A page of one reader's records, as `/records?reader=3&after=25`.
fn page(asked: &Asked) -> Answer {
    let number = |name| asked.query(name).unwrap().parse::<u64>().unwrap();
    let (reader, after) = (number("reader"), number("after"));
    let end = PAGES * PAGE_RECORDS;
    let ids = (after + 1..=end).take(PAGE_RECORDS as usize);
    let records: Vec<Value> = ids
        .map(|id| json!({ "reader": reader, "id": id }))
        .collect();
    let body = json!({ "records": records, "more": after + PAGE_RECORDS < end });
    Answer::new(200, body.to_string())
}

/// Does one of all faults to an answer, in four of ten cases.
fn spoilt(answer: Answer, random: &mut Random) -> Answer {
    if !random.happens(40) {
        return answer;
    }
    const FAULTS: [Fault; 12] = [
        Fault::ResetAtOnce,
        Fault::ResetInHead,
        Fault::ResetInBody,
        Fault::HalfBody,
        Fault::ChunksWithoutEnd,
        Fault::BrokenChunk,
        Fault::Chunks,
        Fault::UntilClosed,
        Fault::Garbage,
        Fault::Drip(40, Duration::from_millis(1)),
        Fault::CloseAfter,
        Fault::None,
    ];
    match random.below(100) {
        // These take their time.
        0 if random.happens(10) => answer.fault(Fault::Silence(2 * WAIT)),
        1 if random.happens(10) => answer.fault(Fault::SilenceInBody(2 * WAIT)),
        0..10 => Answer::new(503, "not now"),
        10..18 => Answer::new(500, "").fault(Fault::CloseAfter),
        18..26 => Answer::new(429, "too many"),
        26..30 => Answer::new(429, "too many").header("retry-after", 0),
        30..34 => Answer::new(502, vec![0xff; 300]).fault(Fault::HalfBody),
        34..38 => Answer {
            status: 200,
            ..answer.header("content-encoding", "gzip") // It is none.
        },
        _ => answer.fault(*random.one_of(&FAULTS)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_through_all_faults_lose_and_repeat_nothing() {
    let seed = seed("STAUNCH_FAULT_SEED", 7);
    let random = Mutex::new(Random::new(seed));
    let server =
        FaultServer::start(move |asked| spoilt(page(asked), &mut random.lock().unwrap())).await;
    let retry = Retry::default()
        .tries(40)
        .pauses(Duration::from_millis(1), Duration::from_millis(5));
    let client = Client::builder()
        .base_url(server.url())
        .retry(retry)
        .timeouts(Timeouts {
            first_byte: WAIT,
            idle: WAIT,
            ..Timeouts::default()
        })
        .build();
    let asked = std::sync::Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..READERS)
        .map(|reader| {
            let (client, asked) = (
                client.scoped().limiter(Limiter::default()).build(),
                asked.clone(),
            );
            tokio::spawn(async move { read(&client, reader, &asked).await })
        })
        .collect();
    for (reader, read) in (0..).zip(readers) {
        let expected: Vec<_> = (1..=PAGES * PAGE_RECORDS).map(|id| (reader, id)).collect();
        assert!(read.await.unwrap() == expected, "reader {reader}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), READERS * PAGES);

    // What was served whole was taken, and so not asked for again.
    let log = server.log();
    let is_page = |served: &&Served| served.status == 200 && served.headers.is_empty();
    let whole = log.iter().filter(|served| served.is_whole).filter(is_page);
    let mut whole: Vec<&str> = whole.map(|served| &*served.asked.target).collect();
    let total = whole.len();
    whole.sort_unstable();
    whole.dedup();
    assert_eq!(
        whole.len(),
        total,
        "something was asked for that had been served"
    );
    println!("{} requests, {total} served whole and in time", log.len());
    assert!(
        log.len() as u64 > READERS * PAGES * 5 / 4,
        "there were faults"
    );
}

/// All records of a reader, in the order in which they came.
async fn read(client: &Client, reader: u64, asked: &AtomicU64) -> Vec<(u64, u64)> {
    let (mut records, mut after) = (Vec::new(), 0);
    loop {
        let request = client
            .get("records")
            .query("reader", reader)
            .query("after", after);
        let page: Value = request.send().await.unwrap().json().unwrap();
        asked.fetch_add(1, Ordering::SeqCst);
        for record in page["records"].as_array().unwrap() {
            let [reader, id] = ["reader", "id"].map(|name| record[name].as_u64().unwrap());
            records.push((reader, id));
            after = id;
        }
        if page["more"] == false {
            return records;
        }
    }
}
