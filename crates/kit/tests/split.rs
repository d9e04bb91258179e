//! The splitter beside a full parser, over a million documents; and its memory, over 2 GiB.
//!
//! A case that fails prints its seed. Keep it: as small as it can be made, in a test with a name of its own.
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.
#![forbid(unsafe_code)]

// What a fuzz target does with its bytes; and with it the two sides that are compared.
#[path = "../../../fuzz/src/json.rs"]
mod fuzz;
#[path = "split/memory.rs"]
mod memory;
#[path = "split/random.rs"]
mod random;

use staunch::stream::json::Splitter;

use fuzz::{both, reference};
use random::{Case, Random};

/// How many documents each test reads. Several tests, as they run at the same time.
const CASES: [(&str, u64); 4] = [
    ("whole", 400_000),
    ("broken", 350_000),
    ("small", 100_000),
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
        agrees(&case, &[&[usize::MAX], &sizes]);
    });
}

#[test]
fn broken_documents_are_refused_where_a_full_parser_refuses_them() {
    each_case("broken", |random| {
        let mut case = random.document();
        random.damage(&mut case.text);
        let sizes = random.sizes(case.text.len());
        agrees(&case, &[&sizes]);
    });
}

#[test]
fn small_documents_give_the_same_wherever_they_are_cut() {
    each_case("small", |random| {
        let mut case = random.small_document();
        if random.below(3) == 0 {
            random.damage(&mut case.text);
        }
        agrees(&case, &[&[1]]);
        let cut = |sizes: &[usize]| both::elements(&case.path(), &case.text, sizes);
        let whole = cut(&[usize::MAX]);
        for at in 1..case.text.len() {
            assert_eq!(cut(&[at, usize::MAX]), whole, "{case} cut at {at}");
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
        let lines = both::items(&mut Splitter::lines(), &text, &sizes).ok();
        assert_eq!(lines, reference::lines(&text), "lines of {shown}");
        let values = both::items(&mut Splitter::values(), &text, &sizes).ok();
        assert_eq!(values, reference::values(&text), "values of {shown}");
    });
}

fn agrees(case: &Case, cuts: &[&[usize]]) {
    both::agree(&case.path(), case.tokens, &case.text, cuts);
}

#[test]
fn every_input_of_the_corpus_is_read_as_a_full_parser_reads_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/json");
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        println!("{}", path.display());
        fuzz::json(&data);
        // Also damaged and cut.
        for at in 0..data.len() {
            let mut damaged = data.clone();
            damaged[at] ^= 0x81;
            fuzz::json(&damaged);
            fuzz::json(&data[..at]);
        }
        inputs += 1;
    }
    assert!(inputs >= 15, "{inputs} inputs");
}
