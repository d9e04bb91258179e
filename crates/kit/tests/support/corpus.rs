//! Runs what fuzzing found or began with again.

use std::path::Path;

/// A target's name, which its corpus bears, and what it does with an input.
type Target = (&'static str, fn(&[u8]));

/// Gives each target its corpus: every file of it, and the same damaged and cut.
pub(crate) fn replay(targets: &[Target]) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, run) in targets {
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
