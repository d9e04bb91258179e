//! Whether a body is JSON, as a strict reader sees it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::refusal::Refusal;

/// Hands each element of an array to a function, which may have seen enough.
pub(super) struct Each<F>(pub(super) F);

impl<'de, F: FnMut(&'de RawValue) -> Result<(), ()>> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<&RawValue>()? {
            (self.0)(element).map_err(|()| A::Error::custom("refused"))?;
        }
        Ok(())
    }
}

/// A refusal that says where in the body it ceases to be JSON, and nothing of what it says.
pub(super) fn refusal(error: serde_json::Error) -> Refusal {
    not_json(&error, error.line(), error.column())
}

fn not_json(error: &serde_json::Error, line: usize, column: usize) -> Refusal {
    let problem = error.to_string();
    let problem = problem
        .split_once(" at line ")
        .map_or(&*problem, |(problem, _)| problem);
    Refusal::BadBody(format!(
        "the body is not JSON: {problem} at line {line} column {column}"
    ))
}

/// Levels of objects and arrays that a document may have. Readers mostly give up at 128, and there is a message around it.
const MAX_LEVELS: u8 = 100;

/// Sees that a part of `body` can be read: no number beyond what a double holds, no half of a surrogate pair, not too many levels. The
/// syntax alone, by which the part was cut out, allows all of these.
pub(super) fn check(body: &[u8], part: &RawValue) -> Result<(), Refusal> {
    let mut deserializer = serde_json::Deserializer::from_str(part.get());
    let Err(error) = Readable(MAX_LEVELS).deserialize(&mut deserializer) else {
        return Ok(());
    };
    let start = part.get().as_ptr().addr() - body.as_ptr().addr();
    let before = body.get(..start).unwrap_or_default();
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    let column = match error.line() {
        1 => {
            let line_start = before.iter().rposition(|byte| *byte == b'\n');
            error.column() + before.len() - line_start.map_or(0, |at| at + 1)
        }
        _ => error.column(),
    };
    Err(not_json(&error, lines + error.line(), column))
}

/// Any JSON value of so many levels, of which nothing is kept.
#[derive(Clone, Copy)]
struct Readable(u8);

impl Readable {
    fn inside<E: Error>(self) -> Result<Self, E> {
        let levels = self.0.checked_sub(1);
        let levels = levels.ok_or_else(|| {
            E::custom(format_args!(
                "more than {MAX_LEVELS} levels of objects and arrays"
            ))
        });
        Ok(Self(levels?))
    }
}

impl<'de> DeserializeSeed<'de> for Readable {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while elements.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while members.next_entry_seed(inside, inside)?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_strict_reader_would_refuse_is_refused_with_its_place_in_the_body() {
        for (body, part, expected) in [
            (
                r#"[{"a":1e999}]"#,
                r#"{"a":1e999}"#,
                "number out of range at line 1 column 1",
            ),
            (
                "[{},\n {\"a\":\"\\ud800\"}]",
                "{\"a\":\"\\ud800\"}",
                "at line 2 column 1",
            ),
            (
                "[\n\n{\n\"\\udc00\":1}]",
                "{\n\"\\udc00\":1}",
                "at line 4 column ",
            ),
        ] {
            let at = body.find(part).unwrap();
            let cut: &RawValue = serde_json::from_str(&body[at..at + part.len()]).unwrap();
            let Err(Refusal::BadBody(problem)) = check(body.as_bytes(), cut) else {
                panic!("{body} is refused");
            };
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn a_document_has_a_hundred_levels_at_most() {
        for (levels, is_readable) in [(99, true), (100, false), (200, false)] {
            let text = format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
            let cut: &RawValue = serde_json::from_str(&text).unwrap();
            assert_eq!(check(text.as_bytes(), cut).is_ok(), is_readable, "{levels}");
        }
    }
}
