//! Drawings and a table of what was simulated.

use std::fmt::Write as _;

use super::run::{Run, Second};
use super::scenarios::Scenario;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 26.0;

/// Points along the time axis at most: a point is the mean of as many seconds as it takes.
const POINTS: usize = 150;

/// An SVG: what was allowed, what was served, and what was refused, per second over time.
#[must_use]
pub fn chart(scenario: &Scenario, run: &Run) -> String {
    let seconds = run.seconds.len();
    let step = seconds.div_ceil(POINTS);
    let points: Vec<Second> = run.seconds.chunks(step).map(mean).collect();
    let highest = points.iter().fold(1.0, |most: f64, point| {
        most.max(point.allowed).max(point.served)
    });
    let top = round_up(highest * 1.05);
    let x = |point: f64| LEFT + (WIDTH - LEFT - 12.0) * point * step as f64 / seconds as f64;
    let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value.min(top) / top;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"16\" font-size=\"12\" fill=\"#222\">{}</text>\n",
        title(scenario)
    );
    for part in 0..=4 {
        let value = top * f64::from(part) / 4.0;
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {0:.1}H{1}\" stroke=\"#e4e4e4\"/><text x=\"{2}\" y=\"{3:.1}\" text-anchor=\"end\" fill=\"#666\">{value}</text>",
            y(value),
            WIDTH - 12.0,
            LEFT - 6.0,
            y(value) + 4.0,
        );
    }
    for part in 0..=6 {
        let at = seconds * part / 6;
        let anchor = if part < 6 { "middle" } else { "end" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\" fill=\"#666\">{at} s</text>",
            x(at as f64 / step as f64),
            HEIGHT - 8.0
        );
    }
    let mut allowed = String::new();
    let mut served = String::new();
    let mut refused = String::new();
    for (index, point) in points.iter().enumerate() {
        let (from, to) = (x(index as f64), x(index as f64 + 1.0));
        let lead = if index == 0 { 'M' } else { 'L' };
        let _ = write!(allowed, "{lead}{from:.1} {0:.1}H{to:.1}", y(point.allowed));
        let _ = write!(
            served,
            "{lead}{:.1} {:.1}",
            (from + to) / 2.0,
            y(point.served)
        );
        if point.refused > 0 {
            let _ = write!(
                refused,
                "M{:.1} {:.1}V{:.1}",
                (from + to) / 2.0,
                y(0.0),
                y(point.refused as f64 / step as f64 * scenario.cost.1)
            );
        }
    }
    let width = (x(1.0) - x(0.0) - 0.5).max(1.0);
    let _ = write!(
        svg,
        "<path d=\"{allowed}\" fill=\"none\" stroke=\"#9a9a9a\" stroke-width=\"2\"/>\n\
         <path d=\"{served}\" fill=\"none\" stroke=\"#1668b8\" stroke-width=\"1.5\"/>\n\
         <path d=\"{refused}\" fill=\"none\" stroke=\"#d03a2f\" stroke-width=\"{width:.1}\"/>\n\
         <text x=\"{LEFT}\" y=\"29\"><tspan fill=\"#777\">allowed</tspan> <tspan fill=\"#1668b8\">served</tspan> <tspan fill=\"#d03a2f\">refused</tspan> \
         <tspan fill=\"#666\">per second</tspan></text>\n</svg>\n"
    );
    svg
}

fn title(scenario: &Scenario) -> String {
    let callers = match scenario.callers {
        1 => "1 caller".to_owned(),
        many => format!("{many} callers"),
    };
    format!(
        "{}; {callers}, {} ms",
        scenario.about.replace('`', ""),
        scenario.latency * 1e3
    )
}

/// A row of the table: the scenario, the share of what is allowed in the first thirty seconds and after them, and the share that was refused.
#[must_use]
pub fn row(scenario: &Scenario, run: &Run) -> String {
    let end = run.seconds.len();
    format!(
        "| [{}](../limits/{0}.svg) | {} | {} | {} ms | {:.0} % | {:.0} % | {:.1} % |",
        scenario.name,
        scenario.about,
        scenario.callers,
        scenario.latency * 1e3,
        100.0 * run.share(0, 30),
        100.0 * run.share(30, end),
        100.0 * run.refused(end),
    )
}

fn mean(seconds: &[Second]) -> Second {
    let count = seconds.len() as f64;
    Second {
        allowed: seconds.iter().map(|second| second.allowed).sum::<f64>() / count,
        served: seconds.iter().map(|second| second.served).sum::<f64>() / count,
        refused: seconds.iter().map(|second| second.refused).sum(),
        answered: seconds.iter().map(|second| second.answered).sum(),
    }
}

/// The next number that is easy to divide by four.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps
        .iter()
        .map(|step| step * power)
        .find(|step| *step >= value)
        .unwrap_or(10.0 * power)
}
