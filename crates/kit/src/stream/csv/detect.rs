//! Which delimiter and which quote a sample speaks for.

use super::parser::{Parser, Step, Syntax};

/// The more text it occurs in by itself, the later: of two that explain a sample equally well, the rarer one is meant.
const DELIMITERS: [u8; 4] = [b'\t', b'|', b';', b','];

const QUOTES: [u8; 2] = [b'"', b'\''];

/// How well a delimiter and a quote explain a sample: compared in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Evidence {
    /// Whether rows have more than one field at all.
    is_table: bool,
    /// Of a thousand rows, how many have as many fields as most have.
    alike: usize,
    /// How many fields those have.
    fields: usize,
}

/// Delimiter and quote of the text that begins with `sample`; `whole` says that this is all of it.
pub(super) fn detect(
    sample: &[u8],
    whole: bool,
    delimiter: Option<u8>,
    quote: Option<Option<u8>>,
    syntax: Syntax,
) -> (u8, Option<u8>) {
    let delimiters = delimiter.map_or(DELIMITERS.to_vec(), |given| vec![given]);
    let mut best = None;
    for delimiter in delimiters {
        let quote = quote.unwrap_or_else(|| Some(detect_quote(sample, whole, delimiter)));
        let candidate = Syntax {
            delimiter,
            quote,
            ..syntax
        };
        if candidate.check().is_err() {
            continue;
        }
        let evidence = weigh(sample, whole, candidate);
        // An earlier one stays unless this is better.
        if best.is_none_or(|(before, _)| evidence > before) {
            best = Some((evidence, (delimiter, quote)));
        }
    }
    match best {
        Some((evidence, dialect)) if evidence.is_table => dialect,
        // A single column, or nothing.
        _ => {
            let delimiter = delimiter.unwrap_or(b',');
            let quote = quote.unwrap_or_else(|| Some(detect_quote(sample, whole, delimiter)));
            (delimiter, quote)
        }
    }
}

/// The quote of fields with this delimiter: the one that stands at both ends of most of them. An apostrophe stands at one.
fn detect_quote(sample: &[u8], whole: bool, delimiter: u8) -> u8 {
    let closed = QUOTES.map(|quote| {
        let is_edge = |byte: Option<&u8>| match byte {
            None => true,
            Some(byte) => *byte == delimiter || matches!(byte, b'\r' | b'\n'),
        };
        let (mut opened, mut closed) = (0_usize, 0_usize);
        for at in memchr::memchr_iter(quote, sample) {
            let before = at.checked_sub(1).map(|before| &sample[before]);
            let (opens, closes) = (is_edge(before), is_edge(sample.get(at + 1)));
            opened += usize::from(opens);
            closed += usize::from(closes && !opens);
        }
        // The last may be cut.
        let missing = opened.saturating_sub(closed);
        if missing <= usize::from(!whole) + opened / 10 {
            closed
        } else {
            0
        }
    });
    if closed[1] > closed[0] {
        QUOTES[1]
    } else {
        QUOTES[0]
    }
}

fn weigh(sample: &[u8], whole: bool, syntax: Syntax) -> Evidence {
    let mut parser = Parser::new(syntax);
    // How many rows have how many fields.
    let mut rows: Vec<(usize, usize)> = Vec::new();
    let mut rest = sample;
    // A quote that is not closed, and what is too long, is for the reader to tell.
    while let Ok((used, step)) = parser.push(rest) {
        rest = &rest[used..];
        match step {
            Step::Record => {
                let fields = parser.ends().len();
                match rows.iter_mut().find(|(one, _)| *one == fields) {
                    Some((_, count)) => *count += 1,
                    None => rows.push((fields, 1)),
                }
            }
            // The last row of a sample may be cut. If it is the only one it counts all the same.
            Step::More if rest.is_empty() && !whole && !rows.is_empty() => break,
            Step::More => {}
            Step::End => break,
        }
    }
    let total: usize = rows.iter().map(|(_, count)| count).sum();
    let most = rows.iter().max_by_key(|(fields, count)| (*count, *fields));
    most.map_or(
        Evidence {
            is_table: false,
            alike: 0,
            fields: 0,
        },
        |(fields, count)| Evidence {
            is_table: *fields > 1,
            alike: count * 1000 / total,
            fields: *fields,
        },
    )
}
