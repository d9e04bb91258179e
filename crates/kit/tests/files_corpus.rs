//! What fuzzing of CSV, compressed streams and archives found or began with, run again: see `fuzz/`.
#![forbid(unsafe_code)]

#[path = "support/corpus.rs"]
mod corpus;
#[path = "../../../fuzz/src/files.rs"]
mod files;

#[test]
fn every_file_of_the_corpus_does_what_its_target_asks() {
    corpus::replay(&files::TARGETS);
}
