//! Bytes per second of the rows of a bulk job that are put together as documents, beside the least that could be done with them: each
//! line read as JSON, and nothing kept of it. They take turns, as a shared machine is now fast and now slow.
//!
//! `cargo bench -p source-shopify-native --bench rows [ROUNDS]`
#![allow(clippy::unwrap_used)] // A bench that cannot go on says so by failing.
#![allow(missing_docs)]
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use serde::de::IgnoredAny;
use source_shopify_native::rows::Assembly;
use source_shopify_native::streams::STREAMS;

/// Bytes of rows that are read each time.
const BYTES: usize = 64 << 20;

fn main() {
    let rounds = std::env::args().skip(1).find_map(|text| text.parse().ok());
    let rounds: usize = rounds.unwrap_or(20);
    println!(
        "{:<20} {:>9} {:>12} {:>12} {:>8}",
        "stream", "rows", "MB/s", "read alone", "share"
    );
    for (name, rows) in [
        ("order_metafields", metafields()),
        ("orders", orders()),
        ("inventory_levels", levels()),
    ] {
        let stream = STREAMS.iter().find(|stream| stream.name == name).unwrap();
        let assembled = || {
            let mut assembly = Assembly::new(stream, "alpha");
            let mut bytes = 0;
            for line in rows.lines() {
                for document in assembly.row(line).unwrap() {
                    bytes += document.len();
                }
            }
            bytes += assembly.end().iter().map(String::len).sum::<usize>();
            black_box(bytes);
        };
        let read = || {
            for line in rows.lines() {
                black_box(serde_json::from_str::<IgnoredAny>(line).unwrap());
            }
        };
        let rate = |run: &dyn Fn()| {
            let begun = Instant::now();
            run();
            rows.len() as f64 / 1e6 / begun.elapsed().as_secs_f64()
        };
        let taken = (0..rounds).map(|_| (rate(&assembled), rate(&read)));
        let (assembled, read): (Vec<f64>, Vec<f64>) = taken.unzip();
        let shares = assembled
            .iter()
            .zip(&read)
            .map(|(ours, floor)| ours / floor);
        let share = median(shares.collect());
        println!(
            "{name:<20} {:>9} {:>12.0} {:>12.0} {:>7.0} %",
            rows.lines().count(),
            median(assembled),
            median(read),
            share * 100.0
        );
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Rows until there are enough.
fn rows(mut root: impl FnMut(&mut String, usize)) -> String {
    let mut rows = String::with_capacity(BYTES + 16_384);
    for number in 1.. {
        if rows.len() >= BYTES {
            break;
        }
        root(&mut rows, number);
    }
    rows
}

fn metafields() -> String {
    rows(|rows, n| {
        let _ = writeln!(
            rows,
            r#"{{"id":"gid:\/\/shopify\/Order\/{n}","legacyResourceId":"{n}","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-02T00:00:00Z"}}"#
        );
        for part in 0..n % 5 {
            let _ = writeln!(
                rows,
                r#"{{"id":"gid:\/\/shopify\/Metafield\/{n}{part}","legacyResourceId":"{n}{part}","namespace":"custom","key":"care_guide","value":"Wash at thirty degrees, inside out, and dry it in the shade; do not bleach.","type":"single_line_text_field","definition":{{"id":"gid:\/\/shopify\/MetafieldDefinition\/{part}","description":"How to care for it","namespace":"custom","type":{{"category":"TEXT","name":"single_line_text_field"}}}},"ownerType":"ORDER","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-02T00:00:00Z","__parentId":"gid:\/\/shopify\/Order\/{n}"}}"#
            );
        }
    })
}

fn orders() -> String {
    let money = |amount: usize| {
        format!(
            r#"{{"shopMoney":{{"amount":"{amount}.00","currencyCode":"EUR"}},"presentmentMoney":{{"amount":"{amount}.00","currencyCode":"EUR"}}}}"#
        )
    };
    rows(|rows, n| {
        let total = money(n % 1000);
        let _ = writeln!(
            rows,
            r#"{{"id":"gid:\/\/shopify\/Order\/{n}","legacyResourceId":"{n}","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-02T00:00:00Z","app":{{"id":"gid:\/\/shopify\/App\/1","name":"Online Store"}},"confirmationNumber":"X{n}","currencyCode":"EUR","currentTotalPriceSet":{total},"currentTotalTaxSet":{total},"email":"somebody{n}@example.com","name":"{n}","note":"Leave it with the neighbours at number twelve, please.","originalTotalDutiesSet":null,"paymentTerms":null,"tags":["new","summer"],"totalPriceSet":{total},"totalTaxSet":{total},"totalWeight":"1200"}}"#
        );
        for part in 0..1 + n % 4 {
            let price = money(part);
            let _ = writeln!(
                rows,
                r#"{{"id":"gid:\/\/shopify\/LineItem\/{n}{part}","sku":"SKU-{part}","vendor":"Acme","quantity":{part},"requiresShipping":true,"originalUnitPriceSet":{price},"discountedUnitPriceSet":{price},"originalTotalSet":{price},"discountedTotalSet":{price},"taxLines":[{{"title":"VAT","ratePercentage":20.0,"priceSet":{price}}}],"variant":{{"id":"gid:\/\/shopify\/ProductVariant\/{part}","legacyResourceId":"{part}","sku":"SKU-{part}"}},"__parentId":"gid:\/\/shopify\/Order\/{n}"}}"#
            );
        }
    })
}

fn levels() -> String {
    rows(|rows, n| {
        let _ = writeln!(
            rows,
            r#"{{"id":"gid:\/\/shopify\/InventoryItem\/{n}","legacyResourceId":"{n}","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-02T00:00:00Z"}}"#
        );
        for part in 0..1 + n % 3 {
            let _ = writeln!(
                rows,
                r#"{{"id":"gid:\/\/shopify\/InventoryLevel\/{n}{part}?inventory_item_id={n}","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-02T00:00:00Z","canDeactivate":true,"deactivationAlert":null,"item":{{"id":"gid:\/\/shopify\/InventoryItem\/{n}","legacyResourceId":"{n}"}},"quantities":[{{"id":"gid:\/\/shopify\/InventoryQuantity\/{n}","name":"available","quantity":{n},"updatedAt":"2026-01-02T00:00:00Z"}}],"__parentId":"gid:\/\/shopify\/InventoryItem\/{n}"}}"#
            );
        }
    })
}
