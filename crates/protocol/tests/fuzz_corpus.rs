//! What fuzzing of the protobuf codec found or began with, run again: see `fuzz/`.
#![forbid(unsafe_code)]

#[path = "../../../fuzz/src/proto.rs"]
mod proto;

#[test]
fn every_input_of_the_corpus_passes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/proto");
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus is there") {
        let path = entry.expect("the corpus can be read").path();
        let data = std::fs::read(&path).expect("an input can be read");
        println!("{}", path.display());
        proto::proto(&data);
        // Also damaged, in each of its bytes.
        for at in 0..data.len() {
            let mut damaged = data.clone();
            damaged[at] ^= 0x81;
            proto::proto(&damaged);
            proto::proto(&data[..at]);
        }
        inputs += 1;
    }
    assert!(inputs >= 14, "{inputs} inputs");
}
