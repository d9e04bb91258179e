//! The splitter's side of the comparison, and the comparison.

use serde_json::Value;
use staunch::stream::json::{Format, JsonError, Splitter};

use super::reference::{self, Outcome};

/// Asserts that the elements at a path, and what surrounds them, are what a full parser reads, for all of these ways to cut the text.
pub(crate) fn agree<S: AsRef<str>>(path: &str, tokens: &[S], text: &[u8], cuts: &[&[usize]]) {
    let wanted = reference::elements(tokens, text);
    if wanted == Outcome::Unknown {
        return;
    }
    for sizes in cuts {
        let got = elements(path, text, sizes);
        // What is no array is known from its first byte, where a parser looks at all of it.
        let is_known_earlier = wanted == Outcome::NotJson && got == Outcome::NotAnArray;
        assert!(
            got == wanted || is_known_earlier,
            "{path:?} of {} cut by {sizes:?}:\n{got:?}\n{wanted:?}",
            text.escape_ascii(),
        );
    }
}

/// What the splitter makes of a text that is cut into chunks of these sizes, again and again.
pub(crate) fn elements(path: &str, text: &[u8], sizes: &[usize]) -> Outcome {
    let read = || {
        let mut splitter = Splitter::array(path)?;
        let elements = items(&mut splitter, text, sizes)?;
        Ok((elements, splitter.remainder()?))
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

pub(crate) fn items<F: Format>(
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
