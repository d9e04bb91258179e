//! Rows of CSV per second, from memory, beside the bare loop of `csv-core` that tells their fields apart.
#![allow(clippy::unwrap_used)] // A bench that cannot go on says so by failing.
#![allow(missing_docs)]
#![forbid(unsafe_code)]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use staunch::stream::{Csv, CsvReader, Encoding};
use tokio::io::BufReader;

fn main() {
    divan::main();
}

/// What a chunk of a body has.
const CHUNK_BYTES: usize = 64 << 10;

/// Rows of about 100 bytes of plain fields; of about 100 with quotes in each; of about 1 kB, most of it text.
const TABLES: [&str; 3] = ["plain", "quoted", "1 kB"];

fn table(kind: &str) -> Vec<u8> {
    let mut text = b"id,email,created_at,amount,note\n".to_vec();
    let mut n = 0_u64;
    while text.len() < 16 << 20 {
        n += 1;
        let (city, day) = (n % 97, n % 28 + 1);
        let row = match kind {
            "plain" => format!(
                "{n},customer-{n}@example.com,2024-05-{day:02}T10:00:00Z,{city}.50,ordered by telephone from city {city}\n"
            ),
            "quoted" => format!(
                "\"{n}\",\"customer-{n}@example.com\",\"2024-05-{day:02}T10:00:00Z\",\"{city},50\",\"says \"\"call {city}\"\"\"\n"
            ),
            _ => format!(
                "{n},customer-{n}@example.com,2024-05-{day:02}T10:00:00Z,{city}.50,\"{}\"\n",
                "ordered by telephone, to be sent by post; ".repeat(22)
            ),
        };
        text.extend_from_slice(row.as_bytes());
    }
    text
}

/// Each row that a reader has, in a task of its own as a capture's are.
fn read(
    bencher: Bencher<'_, '_>,
    text: &[u8],
    csv: Csv,
    each: impl AsyncFn(&mut CsvReader<BufReader<&[u8]>>),
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    bencher
        .counter(BytesCount::new(text.len()))
        .bench_local(|| {
            let reader = BufReader::with_capacity(CHUNK_BYTES, text);
            runtime.block_on(async { each(&mut csv.clone().read(reader)).await });
        });
}

#[divan::bench(args = TABLES)]
fn csv_core_alone(bencher: Bencher<'_, '_>, kind: &str) {
    let text = table(kind);
    let (mut output, mut ends) = (vec![0; 8192], vec![0; 64]);
    bencher
        .counter(BytesCount::new(text.len()))
        .bench_local(|| {
            let mut core = csv_core::Reader::new();
            let mut rows = 0;
            for chunk in text.chunks(CHUNK_BYTES) {
                let mut rest = chunk;
                let (mut at, mut fields) = (0, 0);
                while !rest.is_empty() {
                    let (result, read, written, ended) =
                        core.read_record(rest, &mut output[at..], &mut ends[fields..]);
                    rest = &rest[read..];
                    (at, fields) = (at + written, fields + ended);
                    if result == csv_core::ReadRecordResult::Record {
                        rows += 1;
                        (at, fields) = (0, 0);
                    }
                }
            }
            black_box(rows)
        });
}

#[divan::bench(args = TABLES)]
fn rows(bencher: Bencher<'_, '_>, kind: &str) {
    read(bencher, &table(kind), Csv::new(), async |rows| {
        while let Some(row) = rows.next().await.unwrap() {
            black_box(row.get(0));
        }
    });
}

#[divan::bench(args = TABLES)]
fn rows_all_detected(bencher: Bencher<'_, '_>, kind: &str) {
    read(bencher, &table(kind), Csv::detect(), async |rows| {
        while let Some(row) = rows.next().await.unwrap() {
            black_box(row.get(0));
        }
    });
}

#[divan::bench(args = TABLES)]
fn rows_from_windows_1252(bencher: Bencher<'_, '_>, kind: &str) {
    let csv = Csv::new().encoding(Encoding::WINDOWS_1252);
    read(bencher, &table(kind), csv, async |rows| {
        while let Some(row) = rows.next().await.unwrap() {
            black_box(row.get(0));
        }
    });
}

#[divan::bench(args = TABLES)]
fn json_objects(bencher: Bencher<'_, '_>, kind: &str) {
    read(bencher, &table(kind), Csv::new(), async |rows| {
        let mut json = Vec::new();
        while let Some(row) = rows.next().await.unwrap() {
            json.clear();
            row.write_json(&mut json);
            black_box(&json);
        }
    });
}

#[derive(serde::Deserialize)]
struct Order<'a> {
    id: u64,
    email: &'a str,
    note: &'a str,
}

#[divan::bench(args = ["plain", "1 kB"])]
fn structs(bencher: Bencher<'_, '_>, kind: &str) {
    read(bencher, &table(kind), Csv::new(), async |rows| {
        while let Some(row) = rows.next().await.unwrap() {
            let order: Order<'_> = row.deserialize().unwrap();
            black_box((order.id, order.email, order.note));
        }
    });
}
