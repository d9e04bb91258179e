//! The splitter beside a full parser, over a million documents; and its memory, over 2 GiB.
//!
//! A case that fails prints its seed. Keep it: as small as it can be made, in a test with a name of its own.
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.
#![forbid(unsafe_code)]

#[path = "split/memory.rs"]
mod memory;
#[path = "split/random.rs"]
mod random;
#[path = "split/reference.rs"]
mod reference;

use serde_json::Value;
use staunch::stream::json::{Format, JsonError, Splitter};

use random::{Case, Random};
use reference::Outcome;

/// How many documents each test reads. Several tests, as they run at the same time.
const CASES: [(&str, u64); 4] = [
    ("whole", 350_000),
    ("broken", 350_000),
    ("small", 150_000),
    ("lines", 150_000),
];

fn each_case(name: &str, check: impl Fn(&mut Random)) {
    let (_, cases) = CASES.iter().find(|(kind, _)| *kind == name).unwrap();
    for case in 0..*cases {
        let seed = case.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ name.len() as u64;
        let _told = Told { name, seed };
        check(&mut Random::new(seed));
    }
}

/// Says which case it was, if it fails.
struct Told<'a> {
    name: &'a str,
    seed: u64,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it fails for the seed {:#x} of `{}`", self.seed, self.name);
        }
    }
}

#[test]
fn a_million_documents_are_read() {
    assert!(CASES.iter().map(|(_, cases)| cases).sum::<u64>() >= 1_000_000);
}

#[test]
fn whole_documents_give_what_a_full_parser_reads() {
    each_case("whole", |random| {
        let case = random.document();
        let sizes = random.sizes(case.text.len());
        agrees(&case, [&[usize::MAX], sizes.as_slice()]);
    });
}

#[test]
fn broken_documents_are_refused_where_a_full_parser_refuses_them() {
    each_case("broken", |random| {
        let mut case = random.document();
        random.damage(&mut case.text);
        let sizes = random.sizes(case.text.len());
        agrees(&case, [sizes.as_slice()]);
    });
}

#[test]
fn small_documents_give_the_same_wherever_they_are_cut() {
    each_case("small", |random| {
        let mut case = random.small_document();
        if random.below(3) == 0 {
            random.damage(&mut case.text);
        }
        agrees(&case, [[1]]);
        let whole = split(&case, &[usize::MAX]);
        for at in 1..case.text.len() {
            assert_eq!(split(&case, &[at, usize::MAX]), whole, "{case} cut at {at}");
        }
    });
}

#[test]
fn lines_and_values_are_what_a_full_parser_reads_of_them() {
    each_case("lines", |random| {
        let mut text = random.lines();
        if random.below(3) == 0 {
            random.damage(&mut text);
        }
        let sizes = random.sizes(text.len());
        let shown = text.escape_ascii().to_string();
        let lines = items(Splitter::lines(), &text, &sizes).ok();
        assert_eq!(lines, reference::lines(&text), "lines of {shown}");
        let values = items(Splitter::values(), &text, &sizes).ok();
        assert_eq!(values, reference::values(&text), "values of {shown}");
    });
}

/// Asserts that a case comes to the same here and there, for all of these ways to cut it.
fn agrees<S: AsRef<[usize]>>(case: &Case, cuts: impl IntoIterator<Item = S>) {
    let wanted = reference::outcome(case);
    if wanted == Outcome::Unknown {
        return; // Only damage makes such a number, and rarely.
    }
    for sizes in cuts {
        let got = split(case, sizes.as_ref());
        // What is no array is known from its first byte, where a parser looks at all of it.
        let is_known_earlier = wanted == Outcome::NotJson && got == Outcome::NotAnArray;
        assert!(
            got == wanted || is_known_earlier,
            "{case} cut by {:?}:\n{got:?}\n{wanted:?}",
            sizes.as_ref()
        );
    }
}

/// What the splitter makes of a case that is cut into chunks of these sizes, again and again.
fn split(case: &Case, sizes: &[usize]) -> Outcome {
    let read = || {
        let mut splitter = Splitter::array(&case.path())?;
        let items = read_all(&mut splitter, &case.text, sizes)?;
        Ok((items, splitter.remainder()?))
    };
    match read() {
        Ok((elements, around)) => Outcome::Array { elements, around },
        Err(JsonError::Missing { .. } | JsonError::Null { .. }) => Outcome::Absent,
        Err(JsonError::NotAnArray { .. }) => Outcome::NotAnArray,
        Err(JsonError::Duplicate { .. }) => Outcome::Duplicate,
        Err(JsonError::Syntax { .. } | JsonError::Truncated { .. }) => Outcome::NotJson,
        // A number that is too large for a `Value`, which is all that is asked for here.
        Err(JsonError::Shape { .. }) => Outcome::NotJson,
        Err(error) => panic!("{error}"),
    }
}

fn items<F: Format>(
    mut splitter: Splitter<F>,
    text: &[u8],
    sizes: &[usize],
) -> Result<Vec<Value>, JsonError> {
    read_all(&mut splitter, text, sizes)
}

fn read_all<F: Format>(
    splitter: &mut Splitter<F>,
    text: &[u8],
    sizes: &[usize],
) -> Result<Vec<Value>, JsonError> {
    let mut items = Vec::new();
    let mut rest = text;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = *sizes.next().unwrap();
        let (mut chunk, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        while let Some(item) = splitter.split(&mut chunk)? {
            let at = item.offset() as usize;
            let sent = &text[at..at + item.as_str().len()];
            assert_eq!(item.as_str().as_bytes(), sent, "the text is as it was sent");
            items.push(item.parse()?);
        }
    }
    while let Some(item) = splitter.end()? {
        items.push(item.parse()?);
    }
    Ok(items)
}
