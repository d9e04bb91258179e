//! A run on a terminal: one line per binding that is rewritten in place, and logs above them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use staunch_runtime::Progress;

use crate::output::{Glyphs, clean};
use crate::quantity;

/// Bindings that have a line; a terminal has not many more.
const LINES: usize = 20;

/// Over how long a rate is taken.
const WINDOW: Duration = Duration::from_secs(3);

/// The lines. They are gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Live {
    screen: MultiProgress,
    state: Mutex<State>,
    dot: &'static str,
}

#[derive(Debug, Default)]
struct State {
    bars: Vec<ProgressBar>,
    rates: Rates,
}

/// One binding, as it is shown.
#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    name: String,
    phase: &'static str,
    documents: u64,
    per_second: f64,
    cursor: String,
    /// Since the binding's last checkpoint.
    age: Option<Duration>,
}

impl Live {
    /// None where nobody would see it.
    pub(crate) fn new(glyphs: &Glyphs) -> Option<Self> {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        (!screen.is_hidden()).then(|| Self {
            screen,
            state: Mutex::default(),
            dot: glyphs.dot,
        })
    }

    /// Prints a line above.
    pub(crate) fn say(&self, line: &str) {
        let color =
            anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let line = if color {
            line.to_owned()
        } else {
            anstream::adapter::strip_str(line).to_string()
        };
        let _ = self.screen.println(line); // Nobody has to listen.
    }

    /// Shows where the run is by now.
    pub(crate) fn show(&self, progress: &Progress, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = progress
            .bindings
            .iter()
            .map(|binding| binding.documents())
            .collect();
        let rates = state.rates.at(now, counts);
        let rows: Vec<Row> = progress
            .bindings
            .iter()
            .zip(rates)
            .map(|(binding, per_second)| {
                let place = binding.place();
                Row {
                    name: binding.name.clone(),
                    phase: place.phase,
                    documents: binding.documents(),
                    per_second,
                    cursor: place.cursor,
                    age: place
                        .checkpoint_at
                        .map(|at| now.saturating_duration_since(at)),
                }
            })
            .collect();
        let lines = lines(&rows, self.dot);
        while state.bars.len() < lines.len() {
            let style = ProgressStyle::with_template("{wide_msg}").expect("the template is right");
            state.bars.push(
                self.screen
                    .add(ProgressBar::new_spinner().with_style(style)),
            );
        }
        for (bar, line) in state.bars.iter().zip(lines) {
            bar.set_message(line);
        }
    }

    /// Takes the lines away.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for bar in state.bars.drain(..) {
            bar.finish_and_clear();
        }
        let _ = self.screen.clear(); // Nobody has to see it.
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Documents per second of each binding, over the last few seconds.
#[derive(Debug, Default)]
struct Rates {
    seen: VecDeque<(Instant, Vec<u64>)>,
}

impl Rates {
    fn at(&mut self, now: Instant, counts: Vec<u64>) -> Vec<f64> {
        // One from before the window stays: it is what the rest is measured from.
        while self
            .seen
            .get(1)
            .is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW)
        {
            self.seen.pop_front();
        }
        let rates = match self.seen.front() {
            Some((at, before)) if now > *at => {
                let seconds = now.saturating_duration_since(*at).as_secs_f64();
                counts
                    .iter()
                    .zip(before)
                    .map(|(&count, &before)| count.saturating_sub(before) as f64 / seconds)
                    .collect()
            }
            _ => vec![0.0; counts.len()],
        };
        self.seen.push_back((now, counts));
        rates
    }
}

/// The lines for all bindings, aligned; of too many, those of the busiest.
fn lines(rows: &[Row], dot: &str) -> Vec<String> {
    let mut shown: Vec<usize> = (0..rows.len()).collect();
    if rows.len() > LINES {
        let busy = |index: usize| (rows[index].per_second, rows[index].documents as f64);
        shown.sort_by(|&left, &right| {
            busy(right)
                .partial_cmp(&busy(left))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        shown.truncate(LINES);
        shown.sort_unstable(); // In the order of the catalog, so that lines do not jump about.
    }
    let width = shown
        .iter()
        .map(|&index| rows[index].name.chars().count())
        .max()
        .unwrap_or(0)
        .min(40);
    let mut lines: Vec<String> = shown
        .iter()
        .map(|&index| line(&rows[index], width, dot))
        .collect();
    if rows.len() > LINES {
        lines.push(format!("  … and {} more", rows.len() - LINES));
    }
    lines
}

fn line(row: &Row, width: usize, dot: &str) -> String {
    let name = clean(&row.name);
    let documents = quantity::count(row.documents);
    let rate = quantity::count(row.per_second.round() as u64);
    let mut line = format!(
        "  {name:<width$}  {:<11}  {documents:>11} documents {rate:>7}/s",
        row.phase
    );
    if !row.cursor.is_empty() {
        line.push_str(&format!("  {dot} {}", clean(&row.cursor)));
    }
    if let Some(age) = row.age {
        line.push_str(&format!("  {dot} checkpoint {}s ago", age.as_secs()));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, documents: u64, per_second: f64) -> Row {
        Row {
            name: name.into(),
            phase: "incremental",
            documents,
            per_second,
            ..Row::default()
        }
    }

    #[test]
    fn a_line_says_where_a_binding_is() {
        let row = Row {
            cursor: "2026-03-01".into(),
            age: Some(Duration::from_secs(3)),
            ..row("orders", 12_345, 211.6)
        };
        assert_eq!(
            lines(&[row], "·"),
            [
                "  orders  incremental       12,345 documents     212/s  · 2026-03-01  · checkpoint 3s ago"
            ]
        );
    }

    #[test]
    fn of_many_bindings_the_busiest_are_shown_in_their_order() {
        let mut rows: Vec<Row> = (0..30)
            .map(|index| row(&format!("b{index:02}"), 0, 0.0))
            .collect();
        rows[29].per_second = 5.0;
        rows[25].documents = 7;
        let lines = lines(&rows, "-");
        assert_eq!(lines.len(), LINES + 1);
        assert_eq!(lines[LINES], "  … and 10 more");
        assert!(
            lines[LINES - 1].contains("b29")
                && lines[LINES - 2].contains("b25")
                && lines[0].contains("b00")
        );
    }

    #[test]
    fn a_rate_is_taken_over_the_last_seconds() {
        let start = Instant::now();
        let mut rates = Rates::default();
        assert_eq!(rates.at(start, vec![0]), [0.0]);
        assert_eq!(rates.at(start + Duration::from_secs(1), vec![100]), [100.0]);
        assert_eq!(
            rates.at(start + Duration::from_secs(10), vec![100]),
            [0.0],
            "what came long ago does not count"
        );
    }
}
