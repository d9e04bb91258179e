//! What fuzzing of the rules and signatures of posted requests found or began with, run again: see `fuzz/`.
#![forbid(unsafe_code)]

#[path = "support/corpus.rs"]
mod corpus;
#[path = "../../../fuzz/src/posted.rs"]
mod posted;

use std::path::Path;

#[test]
fn every_file_of_the_corpus_does_what_its_target_asks() {
    corpus::replay(&posted::TARGETS);
}

#[test]
fn the_corpus_has_requests_that_bear_each_signature() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/signatures");
    let borne: usize = (0..9)
        .map(|seed| std::fs::read(corpus.join(format!("seed-{seed:02}"))).expect("there is one"))
        .map(|data| posted::borne(&data))
        .sum();
    assert_eq!(borne, 9);
}

/// Not in each run of the tests: `cargo test --test posted_corpus -- --ignored`, where there is no fuzzer.
#[test]
#[ignore = "takes half a minute"]
fn inputs_made_of_the_corpus_by_chance_do_what_their_target_asks() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below.max(1) as u64) as usize
    };
    for (target, run) in posted::TARGETS {
        let files = std::fs::read_dir(corpus.join(target)).expect("each target has a corpus");
        let inputs: Vec<Vec<u8>> = files
            .map(|file| std::fs::read(file.expect("it is there").path()).expect("it can be read"))
            .collect();
        for _ in 0..100_000 {
            let mut data = inputs[random(inputs.len())].clone();
            for _ in 0..=random(4) {
                let other = &inputs[random(inputs.len())];
                let (at, from) = (random(data.len() + 1), random(other.len() + 1));
                let piece = &other[from..(from + random(24)).min(other.len())];
                let end = (at + random(12)).min(data.len());
                data.splice(at..end, piece.iter().copied());
            }
            run(&data);
        }
    }
}
