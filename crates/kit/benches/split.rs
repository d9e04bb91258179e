//! Bytes per second of a document `{"data":[…],"next":"…"}` of 16 MB that is read in chunks of 64 KiB, its elements one by one.
//!
//! Beside the two of this crate what else there is: two published streaming parsers, each as its documentation would have it and as
//! favourably as it can be used, and `serde_json` with the whole document in memory. They take turns, as a shared machine is now fast
//! and now slow: each rate is the median of its rounds, and each ratio that of the rounds' ratios.
//!
//! `cargo bench -p staunch --features stream --bench split [KIND] [ROUNDS]`
#![allow(clippy::unwrap_used)] // A bench that cannot go on says so by failing.
#![allow(missing_docs)]
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{self, BufReader};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actson::feeder::{BufReaderJsonFeeder, SliceJsonFeeder};
use actson::{JsonEvent, JsonParser};
use serde_json::value::RawValue;
use staunch::stream::json::{self, Splitter};
use struson::reader::{JsonReader, JsonStreamReader};
use struson::writer::JsonStreamWriter;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

const DOCUMENT_BYTES: usize = 16 << 20;

const CHUNK_BYTES: usize = 64 << 10;

/// What the elements are like, and about how large: records with notes, the same with an escape or a letter beyond ASCII in every
/// fourth word, or points of three numbers each.
const KINDS: [(&str, usize); 7] = [
    ("text", 400),
    ("text", 1_000),
    ("text", 4_000),
    ("escapes", 1_000),
    ("numbers", 400),
    ("numbers", 1_000),
    ("numbers", 4_000),
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % bound
    }
}

struct Document {
    text: String,
    elements: usize,
    /// Of all elements together.
    element_bytes: usize,
}

fn document((kind, size): (&str, usize)) -> Document {
    let mut random = Random(size as u64);
    let mut text = String::from("{\"data\":[");
    let (mut elements, mut element_bytes) = (0, 0);
    while text.len() < DOCUMENT_BYTES {
        if elements > 0 {
            text.push(',');
        }
        let start = text.len();
        match kind {
            "text" => record(&mut random, elements, size, 16, &mut text),
            "escapes" => record(&mut random, elements, size, 1, &mut text),
            _ => points(&mut random, elements, size, &mut text),
        }
        elements += 1;
        element_bytes += text.len() - start;
    }
    text.push_str("],\"next\":\"abc\"}");
    Document {
        text,
        elements,
        element_bytes,
    }
}

/// A record whose notes have plain words, and each so many times a word that may be another.
fn record(random: &mut Random, id: usize, size: usize, plain: u64, text: &mut String) {
    const PLAIN: usize = 9;
    const WORDS: [&str; 12] = [
        "the",
        "customer",
        "asked",
        "whether",
        "parcel",
        "would",
        "arrive",
        "before",
        "Friday,",
        "Zürich",
        "please\\n",
        "\\\"soon\\\"",
    ];
    let start = text.len();
    write!(
        text,
        "{{\"id\":{id},\"created_at\":\"2026-11-{:02}T13:04:{:02}.123Z\",\"active\":true,\"email\":\"someone{}@example.com\",\
         \"score\":{}.{},\"owner\":{{\"id\":{},\"name\":\"Ada Lovelace\",\"city\":\"Winnipeg\"}},\"tags\":[\"new\",\"vip\"],\"parent\":null",
        random.below(28) + 1,
        random.below(60),
        random.below(1_000),
        random.below(100),
        random.below(100),
        random.below(100_000),
    )
    .unwrap();
    let mut note = 0;
    while text.len() - start < size - 20 {
        write!(text, ",\"note_{note}\":\"").unwrap();
        let end = (text.len() + 20 + random.below(80) as usize).min(start + size);
        while text.len() < end {
            let words = if random.below(plain) == 0 {
                WORDS.len()
            } else {
                PLAIN
            };
            text.push_str(WORDS[random.below(words as u64) as usize]);
            text.push(' ');
        }
        text.push('"');
        note += 1;
    }
    text.push('}');
}

fn points(random: &mut Random, id: usize, size: usize, text: &mut String) {
    let start = text.len();
    write!(text, "{{\"id\":{id},\"points\":[").unwrap();
    while text.len() - start < size - 20 {
        if text.ends_with('}') {
            text.push(',');
        }
        let (x, n) = (random.below(1_000), random.below(100_000));
        let (y, fraction) = (random.below(100), random.below(1_000_000));
        write!(text, "{{\"x\":{x},\"y\":{y}.{fraction},\"n\":{n}}}").unwrap();
    }
    text.push_str("]}");
}

/// What reads a document: how many elements there were, and how many bytes they had together where that is known.
type Reader = fn(&str) -> (usize, Option<usize>);

const READERS: [(&str, Reader); 6] = [
    ("`Splitter`", splitter),
    ("`elements`, from a body", elements),
    ("actson, events only", actson_events),
    ("actson, elements cut out", actson_elements),
    ("struson, elements copied", struson_elements),
    ("`serde_json`, whole document", serde_json_whole),
];

/// Those of the readers that are published, and hold no whole document.
const PEERS: std::ops::Range<usize> = 2..5;

/// Those that read as a type.
const TYPED: [(&str, Reader); 2] = [
    ("`elements`, typed", elements_typed),
    ("`serde_json`, whole and typed", serde_json_typed),
];

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let wanted = arguments.first().map_or("", String::as_str);
    let rounds = arguments
        .get(1)
        .map_or(15, |rounds| rounds.parse().unwrap());
    for kind in KINDS.iter().filter(|kind| kind.0.contains(wanted)) {
        let document = document(*kind);
        println!("\n{} of {} bytes", kind.0, kind.1);
        let rates = take_turns(&READERS, &document, rounds);
        for (reader, (name, _)) in READERS.iter().enumerate() {
            let times_the_fastest = rates.iter().map(|round| {
                let fastest = round[PEERS].iter().copied().fold(f64::MIN, f64::max);
                round[reader] / fastest
            });
            let rate = median(rates.iter().map(|round| round[reader]));
            let ratio = median(times_the_fastest);
            println!("{name:<30} {rate:>6.0} MB/s {ratio:>6.2}x the fastest peer");
        }
        if kind.0 == "text" {
            let rates = take_turns(&TYPED, &document, rounds);
            for (reader, (name, _)) in TYPED.iter().enumerate() {
                let rate = median(rates.iter().map(|round| round[reader]));
                println!("{name:<30} {rate:>6.0} MB/s");
            }
        }
    }
}

/// The rates of each round, in MB/s, in the order of the readers.
fn take_turns(readers: &[(&str, Reader)], document: &Document, rounds: usize) -> Vec<Vec<f64>> {
    let megabytes = document.text.len() as f64 / 1e6;
    let rate = |reader: Reader| {
        let begun = Instant::now();
        let (elements, bytes) = reader(black_box(&document.text));
        let took = begun.elapsed();
        assert_eq!(elements, document.elements);
        assert_eq!(
            bytes.unwrap_or(document.element_bytes),
            document.element_bytes
        );
        megabytes / took.as_secs_f64()
    };
    (0..rounds)
        .map(|_| readers.iter().map(|(_, reader)| rate(*reader)).collect())
        .collect()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Lends its chunks, as the body of a response does.
struct Body<'a> {
    text: &'a str,
    at: usize,
}

impl AsyncRead for Body<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into())) // Its buffer is read instead.
    }
}

impl AsyncBufRead for Body<'_> {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let Self { text, at } = self.get_mut();
        let end = (*at / CHUNK_BYTES + 1) * CHUNK_BYTES;
        Poll::Ready(Ok(&text.as_bytes()[*at..end.min(text.len())]))
    }

    fn consume(self: Pin<&mut Self>, bytes: usize) {
        self.get_mut().at += bytes;
    }
}

#[derive(serde::Deserialize)]
struct Rest<'a> {
    next: &'a str,
}

fn elements(text: &str) -> (usize, Option<usize>) {
    block_on(async {
        let body = Body { text, at: 0 };
        let mut elements = json::elements(body, "/data").unwrap();
        let (mut count, mut bytes) = (0, 0);
        while let Some(element) = elements.next().await.unwrap() {
            count += 1;
            bytes += black_box(element.as_str()).len();
        }
        assert_eq!(elements.remainder::<Rest<'_>>().unwrap().next, "abc");
        (count, Some(bytes))
    })
}

fn splitter(text: &str) -> (usize, Option<usize>) {
    let mut splitter = Splitter::array("/data").unwrap();
    let (mut count, mut bytes) = (0, 0);
    for mut chunk in text.as_bytes().chunks(CHUNK_BYTES) {
        while let Some(element) = splitter.split(&mut chunk).unwrap() {
            count += 1;
            bytes += black_box(element.as_str()).len();
        }
    }
    assert!(splitter.end().unwrap().is_none());
    (count, Some(bytes))
}

#[derive(serde::Deserialize)]
#[allow(dead_code)] // They are read to be measured.
struct Record<'a> {
    id: u64,
    created_at: &'a str,
    active: bool,
    email: &'a str,
    score: f64,
    owner: Owner<'a>,
    tags: Vec<&'a str>,
    parent: Option<u64>,
}

#[derive(serde::Deserialize)]
#[allow(dead_code)]
struct Owner<'a> {
    id: u64,
    name: &'a str,
    city: &'a str,
}

fn elements_typed(text: &str) -> (usize, Option<usize>) {
    block_on(async {
        let body = Body { text, at: 0 };
        let mut elements = json::elements(body, "/data").unwrap();
        let mut count = 0;
        while let Some(record) = elements.next_as::<Record<'_>>().await.unwrap() {
            black_box(record);
            count += 1;
        }
        (count, None)
    })
}

fn serde_json_typed(text: &str) -> (usize, Option<usize>) {
    #[derive(serde::Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        data: Vec<Record<'a>>,
    }
    let page: Page<'_> = serde_json::from_slice(text.as_bytes()).unwrap();
    (black_box(page.data).len(), None)
}

fn serde_json_whole(text: &str) -> (usize, Option<usize>) {
    #[derive(serde::Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        data: Vec<&'a RawValue>,
    }
    let page: Page<'_> = serde_json::from_slice(text.as_bytes()).unwrap();
    let bytes = page.data.iter().map(|element| element.get().len()).sum();
    (page.data.len(), Some(bytes))
}

/// Events alone: what the elements are is not known.
fn actson_events(text: &str) -> (usize, Option<usize>) {
    let reader = BufReader::with_capacity(CHUNK_BYTES, text.as_bytes());
    let mut parser = JsonParser::new(BufReaderJsonFeeder::new(reader));
    let (mut depth, mut count) = (0, 0);
    while let Some(event) = parser.next_event().unwrap() {
        match event {
            JsonEvent::NeedMoreInput => parser.feeder.fill_buf().unwrap(),
            JsonEvent::StartObject | JsonEvent::StartArray => depth += 1,
            JsonEvent::EndObject | JsonEvent::EndArray => {
                depth -= 1;
                count += usize::from(depth == 2);
            }
            _ => {}
        }
    }
    (count, None)
}

/// The elements' texts, cut out of the whole document in memory: no buffers, no copies, no check of UTF-8.
fn actson_elements(text: &str) -> (usize, Option<usize>) {
    let mut parser = JsonParser::new(SliceJsonFeeder::new(text.as_bytes()));
    let (mut depth, mut start, mut count, mut bytes) = (0, 0, 0, 0);
    while let Some(event) = parser.next_event().unwrap() {
        match event {
            JsonEvent::StartObject | JsonEvent::StartArray => {
                if depth == 2 {
                    start = parser.parsed_bytes() - 1;
                }
                depth += 1;
            }
            JsonEvent::EndObject | JsonEvent::EndArray => {
                depth -= 1;
                if depth == 2 {
                    count += 1;
                    bytes += black_box(&text[start..parser.parsed_bytes()]).len();
                }
            }
            _ => {}
        }
    }
    (count, Some(bytes))
}

fn struson_elements(text: &str) -> (usize, Option<usize>) {
    let reader = BufReader::with_capacity(CHUNK_BYTES, text.as_bytes());
    let mut reader = JsonStreamReader::new(reader);
    reader.begin_object().unwrap();
    assert_eq!(reader.next_name().unwrap(), "data");
    reader.begin_array().unwrap();
    let mut element = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    while reader.has_next().unwrap() {
        element.clear();
        let mut writer = JsonStreamWriter::new(&mut element);
        reader.transfer_to(&mut writer).unwrap();
        struson::writer::JsonWriter::finish_document(writer).unwrap();
        count += 1;
        bytes += black_box(&element).len();
    }
    reader.end_array().unwrap();
    (count, Some(bytes))
}
