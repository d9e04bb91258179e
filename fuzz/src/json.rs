//! What the fuzz target of the JSON splitter does with its bytes. The tests of the kit run the same on every file of the corpus.

// The target uses some of these, and the test all of them.
#![allow(dead_code, clippy::unwrap_used)]

#[path = "../../crates/kit/tests/split/both.rs"]
pub(crate) mod both;
#[path = "../../crates/kit/tests/split/reference.rs"]
pub(crate) mod reference;

use staunch::stream::json::Splitter;

/// The first byte says into which chunks the text is cut, the first line what is read of it: `lines`, `values`, or the elements at
/// a path. It comes to what a full parser reads.
pub(crate) fn json(data: &[u8]) {
    let Some((&size, rest)) = data.split_first() else {
        return;
    };
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (how, text) = (&rest[..end], &rest[end + 1..]);
    let sizes: &[usize] = match size {
        0 => &[usize::MAX],
        1..16 => &[size.into()],
        _ => &[usize::from(size % 16) + 1, usize::from(size / 16)],
    };
    match how {
        b"lines" => {
            let lines = both::items(&mut Splitter::lines(), text, sizes).ok();
            assert_eq!(lines, reference::lines(text));
        }
        b"values" => {
            let values = both::items(&mut Splitter::values(), text, sizes).ok();
            assert_eq!(values, reference::values(text));
        }
        _ => {
            let Ok(path) = std::str::from_utf8(how) else {
                return;
            };
            if Splitter::array(path).is_ok() {
                let tokens = path.split('/').skip(1);
                let tokens: Vec<String> = tokens
                    .map(|token| token.replace("~1", "/").replace("~0", "~"))
                    .collect();
                both::agree(path, &tokens, text, &[&[usize::MAX], sizes]);
            }
        }
    }
}
