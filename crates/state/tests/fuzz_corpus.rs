//! Replays the corpus of the fuzz targets: what a fuzzer found once is tried in each run of the tests.
#![forbid(unsafe_code)]

#[path = "../../../fuzz/src/bodies.rs"]
mod bodies;

use std::path::Path;

#[test]
fn every_file_of_the_corpus_does_what_its_target_asks() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, run) in bodies::TARGETS {
        let folder = corpus.join(target);
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .expect("each target has a corpus")
            .map(|entry| entry.expect("the folder can be read").path())
            .collect();
        files.sort();
        assert!(files.len() >= 10, "{target}: {} files", files.len());
        for file in files {
            let bytes = std::fs::read(&file).expect("the file can be read");
            println!("{}", file.display());
            run(&bytes);
        }
    }
}
