//! Bytes per second of a document `{"data":[…],"next":"…"}` of 16 MB that is read in chunks of 64 KiB, its elements one by one.
//!
//! `raw` hands out the checked text of each element, `splitter` the same without a reader, `typed` a value that borrows. Beside them
//! what else there is: two published streaming parsers, each as its documentation would have it and as favourably as it can be used,
//! and `serde_json` with the whole document in memory.
#![allow(clippy::unwrap_used)] // A bench that cannot go on says so by failing.
#![allow(missing_docs)]
#![forbid(unsafe_code)]

use std::fmt::Write;
use std::io::BufReader;

use actson::feeder::{BufReaderJsonFeeder, SliceJsonFeeder};
use actson::{JsonEvent, JsonParser};
use divan::Bencher;
use divan::counter::BytesCount;
use serde_json::value::RawValue;
use staunch::stream::json::{self, Splitter};
use struson::reader::{JsonReader, JsonStreamReader};
use struson::writer::JsonStreamWriter;

fn main() {
    divan::main();
}

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

/// Runs what returns how many elements there were, and how large they were together.
fn bench(bencher: Bencher<'_, '_>, kind: (&str, usize), read: impl Fn(&str) -> (usize, usize)) {
    let document = document(kind);
    assert_eq!(
        read(&document.text),
        (document.elements, document.element_bytes)
    );
    bencher
        .counter(BytesCount::new(document.text.len()))
        .bench_local(|| read(divan::black_box(&document.text)));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

#[derive(serde::Deserialize)]
struct Rest<'a> {
    next: &'a str,
}

#[divan::bench(args = KINDS, sample_count = 15, sample_size = 1)]
fn raw(bencher: Bencher<'_, '_>, kind: (&str, usize)) {
    let runtime = runtime();
    bench(bencher, kind, |text| {
        runtime.block_on(async {
            let body = tokio::io::BufReader::with_capacity(CHUNK_BYTES, text.as_bytes());
            let mut elements = json::elements(body, "/data").unwrap();
            let (mut count, mut bytes) = (0, 0);
            while let Some(element) = elements.next().await.unwrap() {
                count += 1;
                bytes += divan::black_box(element.as_str()).len();
            }
            assert_eq!(elements.remainder::<Rest<'_>>().unwrap().next, "abc");
            (count, bytes)
        })
    });
}

#[divan::bench(args = KINDS, sample_count = 15, sample_size = 1)]
fn splitter(bencher: Bencher<'_, '_>, kind: (&str, usize)) {
    bench(bencher, kind, |text| {
        let mut splitter = Splitter::array("/data").unwrap();
        let (mut count, mut bytes) = (0, 0);
        for mut chunk in text.as_bytes().chunks(CHUNK_BYTES) {
            while let Some(element) = splitter.split(&mut chunk).unwrap() {
                count += 1;
                bytes += divan::black_box(element.as_str()).len();
            }
        }
        assert!(splitter.end().unwrap().is_none());
        (count, bytes)
    });
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

const RECORDS: [(&str, usize); 3] = [("text", 400), ("text", 1_000), ("text", 4_000)];

#[divan::bench(args = RECORDS, sample_count = 15, sample_size = 1)]
fn typed(bencher: Bencher<'_, '_>, kind: (&str, usize)) {
    let runtime = runtime();
    let document = document(kind);
    bencher
        .counter(BytesCount::new(document.text.len()))
        .bench_local(|| {
            runtime.block_on(async {
                let body =
                    tokio::io::BufReader::with_capacity(CHUNK_BYTES, document.text.as_bytes());
                let mut elements = json::elements(body, "/data").unwrap();
                let mut count = 0;
                while let Some(record) = elements.next_as::<Record<'_>>().await.unwrap() {
                    divan::black_box(record);
                    count += 1;
                }
                assert_eq!(count, document.elements);
            })
        });
}

#[divan::bench(args = RECORDS, sample_count = 15, sample_size = 1)]
fn typed_serde_json_whole(bencher: Bencher<'_, '_>, kind: (&str, usize)) {
    #[derive(serde::Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        data: Vec<Record<'a>>,
    }
    let document = document(kind);
    bencher
        .counter(BytesCount::new(document.text.len()))
        .bench_local(|| {
            let page: Page<'_> = serde_json::from_slice(document.text.as_bytes()).unwrap();
            assert_eq!(page.data.len(), document.elements);
        });
}

#[divan::bench(args = KINDS, sample_count = 15, sample_size = 1)]
fn raw_serde_json_whole(bencher: Bencher<'_, '_>, kind: (&str, usize)) {
    #[derive(serde::Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        data: Vec<&'a RawValue>,
    }
    bench(bencher, kind, |text| {
        let page: Page<'_> = serde_json::from_slice(text.as_bytes()).unwrap();
        let bytes = page.data.iter().map(|element| element.get().len()).sum();
        (page.data.len(), bytes)
    });
}

/// Events alone: what the elements are is not known.
#[divan::bench(args = KINDS, sample_count = 5, sample_size = 1)]
fn actson_events(bencher: Bencher<'_, '_>, kind: (&str, usize)) {
    let document = document(kind);
    bencher
        .counter(BytesCount::new(document.text.len()))
        .bench_local(|| {
            let reader = BufReader::with_capacity(CHUNK_BYTES, document.text.as_bytes());
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
            assert_eq!(count, document.elements);
        });
}

/// The elements' texts, cut out of the whole document in memory: no buffers, no copies, no check of UTF-8.
#[divan::bench(args = KINDS, sample_count = 5, sample_size = 1)]
fn actson_elements(bencher: Bencher<'_, '_>, kind: (&str, usize)) {
    bench(bencher, kind, |text| {
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
                        bytes += divan::black_box(&text[start..parser.parsed_bytes()]).len();
                    }
                }
                _ => {}
            }
        }
        (count, bytes)
    });
}

#[divan::bench(args = KINDS, sample_count = 5, sample_size = 1)]
fn struson_transfer(bencher: Bencher<'_, '_>, kind: (&str, usize)) {
    bench(bencher, kind, |text| {
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
            bytes += divan::black_box(&element).len();
        }
        reader.end_array().unwrap();
        (count, bytes)
    });
}
