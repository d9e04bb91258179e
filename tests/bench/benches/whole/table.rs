//! Medians, ratios, and tables of them.

use std::time::Duration;

use crate::measure::Sample;

/// The middle of `values`, or the mean of the two in the middle.
///
/// # Panics
/// When there are none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

pub(crate) fn median_of<T>(samples: &[T], of: impl Fn(&T) -> f64) -> f64 {
    median(samples.iter().map(of).collect())
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A program and its samples, one for each round.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The position of the row that it is compared with.
    pub(crate) floor: Option<usize>,
    pub(crate) samples: Vec<Sample>,
}

impl Row {
    pub(crate) fn new(name: &'static str, floor: Option<usize>) -> Self {
        Self {
            name,
            floor,
            samples: Vec::new(),
        }
    }
}

/// Prints, for each program, what it took for a document, and how that compares with its floor.
pub(crate) fn print(title: &str, documents: u64, rows: &[Row]) {
    println!("\n### {title}\n");
    println!("| | CPU us/doc | docs/s | peak MB | rate, of its floor's | CPU, of its floor's |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for row in rows {
        let per_document = documents as f64;
        let cpu = median_of(&row.samples, |sample| {
            sample.usage.cpu.as_secs_f64() * 1e6 / per_document
        });
        let rate = median_of(&row.samples, |sample| {
            per_document / sample.wall.as_secs_f64()
        });
        let peak = match median_of(&row.samples, |sample| sample.usage.peak_kib as f64 / 1024.0) {
            0.0 => String::new(),
            peak => format!("{peak:.0}"),
        };
        let (rate_ratio, cpu_ratio) = match row.floor {
            None => (String::new(), String::new()),
            Some(floor) => {
                let rounds = || rows[floor].samples.iter().zip(&row.samples);
                let wall = |(floor, of): (&Sample, &Sample)| {
                    floor.wall.as_secs_f64() / of.wall.as_secs_f64()
                };
                let cpu = |(floor, of): (&Sample, &Sample)| {
                    of.usage.cpu.as_secs_f64() / floor.usage.cpu.as_secs_f64()
                };
                let rate = median(rounds().map(wall).collect()) * 100.0;
                (
                    format!("{rate:.0} %"),
                    format!("{:.2}x", median(rounds().map(cpu).collect())),
                )
            }
        };
        println!(
            "| {} | {cpu:.3} | {rate:.0} | {peak} | {rate_ratio} | {cpu_ratio} |",
            row.name
        );
    }
}
