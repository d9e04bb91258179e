//! What fuzzing of CSV, compressed streams and archives found or began with, run again: see `fuzz/`.
#![forbid(unsafe_code)]

#[path = "../../../fuzz/src/files.rs"]
mod files;

use std::path::Path;

#[test]
fn every_file_of_the_corpus_does_what_its_target_asks() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, run) in files::TARGETS {
        let mut inputs = 0;
        for entry in std::fs::read_dir(corpus.join(target)).expect("each target has a corpus") {
            let path = entry.expect("the folder can be read").path();
            let data = std::fs::read(&path).expect("the file can be read");
            println!("{}", path.display());
            run(&data);
            // Also damaged and cut.
            for at in (0..data.len()).step_by(data.len() / 64 + 1) {
                let mut damaged = data.clone();
                damaged[at] ^= 0x81;
                run(&damaged);
                run(&data[..at]);
            }
            inputs += 1;
        }
        assert!(inputs >= 10, "{target}: {inputs} inputs");
    }
}
